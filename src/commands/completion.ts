/** Prints the completion script of a shell. */
import { SCRIPTS } from './completion/scripts.ts';
import type { GlobalOptions } from './terminal/options.ts';

export function completionCommand(
  [shell]: readonly (keyof typeof SCRIPTS)[],
  { terminal }: GlobalOptions,
): Promise<number> {
  if (shell) terminal.out(SCRIPTS[shell]);
  return Promise.resolve(0);
}
