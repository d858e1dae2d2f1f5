import { Argument } from 'commander';
import type { CommandDescription } from './description.ts';

export const completion = (): CommandDescription => ({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: `Prints a script for bash, zsh or fish. It completes commands, flags and table names. To load it in every new shell:

  bash:  echo 'source <(increp completion bash)' >> ~/.bashrc
  zsh:   echo 'source <(increp completion zsh)' >> ~/.zshrc
         (after the line with "compinit", which zsh needs)
  fish:  increp completion fish > ~/.config/fish/completions/increp.fish`,
  argument: new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']),
  options: {},
  examples: ['completion bash', 'completion zsh', 'completion fish'],
});
