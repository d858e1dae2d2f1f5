/** The program under its own name in a directory of the PATH, as an installed package has it. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { PROJECT } from './project.ts';

const DIRECTORY = join(PROJECT, 'node_modules', '.cache', 'increp-bin');

export const PROGRAM = join(DIRECTORY, 'increp');

mkdirSync(DIRECTORY, { recursive: true });
try {
  symlinkSync(join(PROJECT, 'bin', 'increp.js'), PROGRAM);
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
}

/** The same PATH with that directory at its end. */
export const withProgram = (path: string | undefined): string =>
  [path, DIRECTORY].filter((part) => part !== undefined && part !== '').join(delimiter);
