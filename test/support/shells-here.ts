import { spawnSync } from 'node:child_process';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Whether this machine has the shell, and the program that gives it a terminal. */
export const hasShell = (shell: Shell): boolean =>
  [shell, 'script'].every((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);
