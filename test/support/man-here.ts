import { spawnSync } from 'node:child_process';

/** Whether manual pages can be read on this machine. */
export const hasMan = (): boolean => spawnSync('man', ['--version'], { stdio: 'ignore' }).status === 0;
