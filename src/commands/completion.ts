/** Prints the completion script of a shell. */
import { SCRIPTS } from './completion/scripts.ts';
import { startOf } from './terminal/typed-command.ts';
import type { GlobalOptions } from './terminal/options.ts';

export function completionCommand(
  [shell]: readonly (keyof typeof SCRIPTS)[],
  { terminal }: GlobalOptions,
): Promise<number> {
  if (shell) terminal.out(`${SCRIPTS[shell]}${functionFor(shell, startOf(terminal.style))}`);
  return Promise.resolve(0);
}

/** The scripts call increp by its name. */
function functionFor(shell: keyof typeof SCRIPTS, program: string): string {
  if (program === 'increp') return '';
  return shell === 'fish'
    ? `if not type -q increp; function increp; ${program} $argv; end; end\n`
    : `command -v increp >/dev/null || increp() { ${program} "$@"; }\n`;
}
