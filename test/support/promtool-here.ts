import { spawnSync } from 'node:child_process';

/** Whether metrics and alert rules can be checked on this machine by Prometheus itself. */
export const hasPromtool = (): boolean =>
  spawnSync('promtool', ['--version'], { stdio: 'ignore' }).status === 0;
