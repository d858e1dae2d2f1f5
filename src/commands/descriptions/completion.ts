import { Argument } from 'commander';
import type { Description } from './description.ts';

export const completion = (): Description => ({
  name: 'completion',
  summary: 'print what makes a shell complete increp',
  description: `Prints a script for bash, zsh or fish, which then complete commands, flags and the names of the tables. To have it in every new shell:

  bash:  echo 'source <(increp completion bash)' >> ~/.bashrc
  zsh:   echo 'source <(increp completion zsh)' >> ~/.zshrc
         (below "compinit", without which zsh completes nothing)
  fish:  increp completion fish > ~/.config/fish/completions/increp.fish`,
  argument: new Argument('<shell>', 'the shell that is to complete increp').choices(['bash', 'zsh', 'fish']),
  options: {},
  examples: ['completion bash', 'completion zsh', 'completion fish'],
});
