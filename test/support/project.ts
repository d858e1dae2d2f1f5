import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
