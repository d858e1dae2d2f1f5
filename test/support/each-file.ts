/** Before each test file: a worker runs one after the other, and the secrets of one are ordinary words in the next. */
import { forgetSecrets } from './canaries.ts';

forgetSecrets();
