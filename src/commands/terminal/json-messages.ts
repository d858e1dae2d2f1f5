/** Whether stderr takes JSON lines. Errors ask it, so it does not need a configuration that can be read. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DirectoryRequest } from '../../config/directory.ts';

/** Reads the usual forms only. dotenv reads more, but takes longer to load. */
const IN_FILE = /^[ \t]*(?:export[ \t]+)?LOG_FORMAT[ \t]*=[ \t]*(["']?)json\1[ \t]*(?:#.*)?$/m;

/** LOG_FORMAT of the environment wins over that of `.env`. */
export function wantsJsonMessages({ directory, environment, workingDirectory }: DirectoryRequest): boolean {
  const given = environment['LOG_FORMAT'];
  if (given !== undefined && given !== '') return given === 'json';
  try {
    const path = resolve(workingDirectory, directory ?? environment['INCREP_DIR'] ?? '.', '.env');
    return IN_FILE.test(readFileSync(path, 'utf8'));
  } catch {
    return false;
  }
}
