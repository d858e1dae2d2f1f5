/** Tests of the manual page: left out where no manual can be read. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'vitest';

const hasMan = spawnSync('man', ['--version'], { stdio: 'ignore' }).status === 0;

export const testWithMan = test.skipIf(!process.env['CI'] && !hasMan);
