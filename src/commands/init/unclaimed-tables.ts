/** Finds destination tables that already exist and that a sync would refuse to change. */
import { resolve } from 'node:path';
import { answerOf, type Answers } from '../../config/answers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import { listed } from '../../format.ts';
import { shellWord } from '../../shell-word.ts';
import { stateFiles } from '../../state/state-files.ts';
import type { ChosenTable } from '../../init/choose-tables.ts';
import { visitDestinationTables, type Visit } from '../../init/test-connections.ts';
import type { UnclaimedTable } from '../../init/unclaimed-tables.ts';

interface UnclaimedRequest {
  readonly answers: Answers;
  readonly destination: ConnectionSettings;
  readonly chosen: readonly ChosenTable[];
}

export async function unclaimedAmong(
  { answers, destination, chosen }: UnclaimedRequest,
  how: Visit,
): Promise<UnclaimedTable[]> {
  const files = stateFiles(resolve(answers.directory, answerOf(answers, 'STATE_DIR') ?? 'sync-state'));
  const kinds = await Promise.all(chosen.map(async ({ name }) => (await files.read(name)).kind));
  const unknown = chosen.filter((_table, index) => kinds[index] === 'none').map(({ name }) => name);
  return unknown.length === 0 ? [] : visitDestinationTables(destination, unknown, how);
}

/** The number of tables that a message names. */
const LISTED = 8;

export const listUnclaimed = (unclaimed: readonly UnclaimedTable[]): string =>
  listed(
    unclaimed.map(({ name, rows }) => `${name} (${rows})`),
    LISTED,
  );

/** Undefined if there are none. */
export function unclaimedWarning(unclaimed: readonly UnclaimedTable[]): string | undefined {
  const [first] = unclaimed;
  if (!first) return undefined;
  const table = shellWord(first.name);
  return `these destination tables already have rows that increp did not write: ${listUnclaimed(unclaimed)}. A sync refuses such a table. Check that source and destination are not swapped. To keep and repair the table: "increp sync ${table} --adopt". To load it again: "increp sync ${table} --replace"`;
}
