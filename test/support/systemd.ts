/**
 * For tests of unit files, which systemd judges; it does not have to run for that. A machine without systemd-analyze
 * leaves these tests out; in the gate, where CI is set and it is installed, they would fail.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'vitest';

const hasSystemdAnalyze = (): boolean =>
  spawnSync('systemd-analyze', ['--version'], { stdio: 'ignore' }).status === 0;

export const testWithSystemd = test.skipIf(!process.env['CI'] && !hasSystemdAnalyze());
