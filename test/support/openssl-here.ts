import { spawnSync } from 'node:child_process';

/** Whether certificates can be made on this machine: Node reads X.509 but does not write it. */
export const hasOpenssl = (): boolean => spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
