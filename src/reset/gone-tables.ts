/** Which tables the source no longer has. A reset of such a table leads to no load. */
import type { TableSettings } from '../config/settings.ts';
import { attempt } from '../errors.ts';
import { relationNames } from '../postgres/catalog.ts';
import { tableKey } from '../schema/names.ts';
import { withSourceTimeout } from '../sync/context/source-timeout.ts';
import type { RunContext } from '../sync/context/run-context.ts';

/** Their names in the settings. None if the source does not answer within seconds, because a reset works without it. */
export async function goneAtSource(
  context: RunContext,
  tables: readonly TableSettings[],
): Promise<ReadonlySet<string>> {
  const named = tables.filter(({ selection }) => selection.query === null);
  const schemas = [...new Set(named.map(({ source }) => source.schema))];
  const found = await attempt(() =>
    withSourceTimeout(context, (source) => source.withReading((client) => relationNames(client, schemas))),
  );
  if (found.kind !== 'done') return new Set();
  const there = new Set(found.value.map(tableKey));
  return new Set(named.filter(({ source }) => !there.has(tableKey(source))).map(({ name }) => name));
}
