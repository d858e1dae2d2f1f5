import { Argument } from 'commander';
import type { CommandDescription } from './description.ts';

export const completion = (): CommandDescription => ({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: `Prints a script for bash, zsh or fish. It completes commands, flags and table names. If the shell does not find increp in the PATH, the script also defines a function increp. To load it in every new shell (zsh: after the line with "compinit"), run one of:

  $ echo "source <(increp completion bash)" >> ~/.bashrc
  $ echo "source <(increp completion zsh)" >> ~/.zshrc
  $ echo "increp completion fish | source" >> ~/.config/fish/config.fish`,
  argument: new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']),
  options: {},
  examples: ['completion bash', 'completion zsh', 'completion fish'],
});
