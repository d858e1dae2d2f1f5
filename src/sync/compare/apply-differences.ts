/** Applies the result of a comparison: removes rows that are gone from the source and fetches rows that differ. */
import { queryUsually } from '../../postgres/user-search-path.ts';
import { copyFormatFor } from '../../schema/copy-format.ts';
import { copyIn, copyOut } from '../../sql/copy.ts';
import { deleteDuplicates, deleteKeys, markDeleted, selectKeys } from '../../sql/removal.ts';
import { copyGroups } from '../facts/copy-groups.ts';
import type { RowDifference } from './differences.ts';
import { batched } from './key-batches.ts';
import { keyColumns, type BothSides } from './sides.ts';
import { metadataColumnsOf } from '../write/metadata-columns.ts';
import { keepsRest } from '../plan/reload-guard.ts';
import type { RunContext } from '../context/run-context.ts';

interface Repairing extends BothSides {
  readonly context: RunContext;
}

interface Applying {
  /** What happens to rows that only the destination has. `fetch`: the source may have them outside the compared range. */
  readonly extra: 'remove' | 'leave' | 'fetch';
}

/** Returns how many rows were removed. The rows to be written are in the staging table afterwards. */
export async function applyDifferences(
  repairing: Repairing,
  differences: AsyncIterable<RowDifference>,
  { extra }: Applying = { extra: 'remove' },
): Promise<number> {
  const { facts, relation, destination } = repairing;
  const key = keyColumns(facts, relation, 'destination');
  const { settings } = facts;
  const rows = { table: facts.destinationName, key, metadataColumns: metadataColumnsOf(facts) };
  const removal = settings.deletes === 'soft' ? markDeleted : deleteKeys;
  // If the table keeps versions of rows, the source may no longer have the older ones, so only duplicate rows are deleted.
  const clear = keepsRest(settings) ? deleteDuplicates : deleteKeys;
  const run = (statementFor: typeof deleteKeys) => (keys: readonly string[]) =>
    queryUsually(destination, statementFor(rows, keys));
  const duplicates = batched(run(clear));
  const extras = batched(run(removal));
  const wanted = batched((keys) => fetchRows(repairing, keys));
  let duplicateKey: string | undefined;
  for await (const { kind, key: values, ...difference } of differences) {
    if (kind === 'extra' && extra === 'remove' && !keepsRest(settings)) await extras.add(values);
    if (kind === 'extra' && extra === 'fetch') await wanted.add(values);
    if ((kind === 'missing' || kind === 'changed') && values !== duplicateKey) await wanted.add(values);
    // Several rows with one key cannot be repaired in place. They are deleted, and the row of the source is fetched.
    if (kind === 'duplicated' && 'side' in difference && difference.side === 'destination') {
      duplicateKey = values;
      await duplicates.add(values);
      await wanted.add(values);
    }
  }
  for (const batch of [duplicates, extras, wanted]) await batch.flush();
  return extras.count();
}

async function fetchRows(
  { context, facts, relation, source, destination }: Repairing,
  keys: readonly string[],
): Promise<void> {
  const columns = relation.columns.map(({ name }) => name);
  const { servers } = facts;
  const format = copyFormatFor(relation.columns, facts.natives, {
    source: servers.source.version,
    destination: servers.destination.version,
  });
  const key = keyColumns(facts, relation, 'source');
  const into = {
    client: destination,
    endpoint: context.destination.endpoint,
    copyIn: copyIn(facts.stagingName, columns, { format, isFresh: false }),
  };
  await copyGroups(
    { database: context.source, holder: source },
    {
      rows: facts.sourceRows,
      copyOut: (rows) => copyOut(selectKeys(rows, relation.columns, key, keys), format),
    },
    into,
    { format, onBytes: () => undefined, signal: context.signal },
  );
}
