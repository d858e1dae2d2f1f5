import { spawnSync } from 'node:child_process';

/** The path of the browser. Empty if it is missing. */
export const chromiumHere = (): string =>
  spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();
