/** The program under its own name in a directory of the PATH, as an installed package has it. */
import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { threadId } from 'node:worker_threads';
import { PROJECT } from './project.ts';

const DIRECTORY = join(PROJECT, 'node_modules', '.cache', 'increp-bin');

export const PROGRAM = join(DIRECTORY, 'increp');

mkdirSync(DIRECTORY, { recursive: true });
const target = join(PROJECT, 'bin', 'increp.js');
// A copied node_modules has the link of the project that it comes from. Other workers may make the same link.
if (!existsSync(PROGRAM) || readlinkSync(PROGRAM) !== target) {
  const own = `${PROGRAM}.${process.pid}.${threadId}`;
  rmSync(own, { force: true });
  symlinkSync(target, own);
  renameSync(own, PROGRAM);
}

/** The same PATH with that directory at its end. */
export const withProgram = (path: string | undefined): string =>
  [path, DIRECTORY].filter((part) => part !== undefined && part !== '').join(delimiter);
