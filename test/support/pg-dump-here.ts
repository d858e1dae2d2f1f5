import { spawnSync } from 'node:child_process';

/** Whether this machine has the client programs that a load by pg_dump needs. */
export const hasPgDump = (): boolean =>
  ['pg_dump', 'pg_restore'].every(
    (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0,
  );
