/** What stands at the destination already, and what a sync would not touch without a word. */
import { resolve } from 'node:path';
import { answerOf, type Answers } from '../../config/answers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import { listed } from '../../format.ts';
import { shellWord } from '../../shell-word.ts';
import { stateFiles } from '../../state/state-files.ts';
import type { ChosenTable } from '../../init/choose-tables.ts';
import { visitDestinationTables, type Visit } from '../../init/test-connections.ts';
import type { Stranger } from '../../init/unclaimed-tables.ts';

interface Looking {
  readonly answers: Answers;
  readonly destination: ConnectionSettings;
  readonly chosen: readonly ChosenTable[];
}

export async function strangersAmong(
  { answers, destination, chosen }: Looking,
  how: Visit,
): Promise<Stranger[]> {
  const files = stateFiles(resolve(answers.directory, answerOf(answers, 'STATE_DIR') ?? 'sync-state'));
  const kinds = await Promise.all(chosen.map(async ({ name }) => (await files.read(name)).kind));
  const unknown = chosen.filter((_table, index) => kinds[index] === 'none').map(({ name }) => name);
  return unknown.length === 0 ? [] : visitDestinationTables(destination, unknown, how);
}

/** As many as a person reads. */
const LISTED = 8;

export const strangersInWords = (strangers: readonly Stranger[]): string =>
  `at the destination already, with rows that increp did not write: ${listed(
    strangers.map(({ name, rows }) => `${name} (${rows})`),
    LISTED,
  )}`;

/** Undefined where there is none. */
export function strangersWarning(strangers: readonly Stranger[]): string | undefined {
  const [first] = strangers;
  if (!first) return undefined;
  const table = shellWord(first.name);
  return `${strangersInWords(strangers)}. A sync stops there. Are source and destination the right way round? If they are: "increp sync ${table} --adopt" keeps the table and repairs it, "increp sync ${table} --replace" loads it again`;
}
