/** The files under deploy/ and their kin, as they are and as they would be elsewhere. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT } from './project.ts';

export const projectFile = (path: string): Promise<string> => readFile(join(PROJECT, path), 'utf8');

/** Where these files suppose increp to be installed. */
const INSTALLED = '/opt/increp/';

/** The same file for an increp that is this checkout. */
export const withThisIncrep = (text: string): string => text.replaceAll(INSTALLED, PROJECT);
