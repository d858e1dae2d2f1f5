/** The package's own directory, the parent of both `src` and `dist`: its documents, schema and program. */
import { join } from 'node:path';

export const PACKAGE_ROOT = join(import.meta.dirname, '..');
