/**
 * Answers the completion scripts each time TAB is pressed: `increp __complete bash LINE`, or `zsh` or `fish` and the
 * words. It prints one candidate per line, with a tab and a description. It connects to no database, and is silent on
 * errors.
 */
import type { Environment } from '../../environment.ts';
import { destinationNamesForCompletion, tableNamesForCompletion } from '../../config/completion-names.ts';
import { commands } from './registry.ts';
import { continueBashLine, readBashLine } from '../completion/bash-words.ts';
import { candidatesFor } from '../completion/candidates.ts';

export function answer(
  [shell, ...asked]: readonly string[],
  environment: Environment,
  write: (text: string) => void,
): void {
  const line = shell === 'bash' ? readBashLine(asked[0] ?? '') : undefined;
  const words = line ? line.words.slice(1) : asked;
  const candidates = candidatesFor(words, {
    descriptions: commands().map(({ description }) => description),
    // A name with a line break cannot be a candidate.
    tablesOf: (directory) =>
      tableNamesForCompletion(directory, environment).filter((name) => !/\p{Cc}/u.test(name)),
    destinationsOf: (directory) => destinationNamesForCompletion(directory, environment),
  });
  if (candidates === 'directories') return write('\tdirectories\n');
  const lines = candidates.flatMap(({ value, says }) => {
    if (!line) return says === '' ? value : `${value}\t${says}`;
    return continueBashLine(line, value) ?? [];
  });
  write(lines.map((each) => `${each}\n`).join(''));
}
