/** Finds out whether DEST_DB or DEST_SCHEMA names another place than that of the pipeline's tables. The state files know it. */
import type { TableSettings } from '../../config/settings.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { isAbout, type StateRecord } from '../../schema/state-record.ts';
import type { RunContext } from '../context/run-context.ts';
import { everyStateFile } from './every-state-file.ts';
import type { Elsewhere, SavedState } from './saved-state.ts';
import { readStateSchemas } from './state-schemas.ts';
import type { TableNames } from './table-names.ts';

interface SoughtTable {
  readonly settings: Pick<TableSettings, 'destinationSchema'>;
  readonly saved: SavedState;
  readonly isNewSchema: boolean;
}

/**
 * A new table of the pipeline must not be loaded into a wrong place. Its state there would make the place look right for all
 * other tables.
 */
export async function findElsewhere(
  context: Pick<RunContext, 'settings' | 'destination' | 'stateFiles'>,
  tables: readonly SoughtTable[],
): Promise<Elsewhere | undefined> {
  const found = tables.map(({ saved }) => (saved.kind === 'none' ? saved.elsewhere : undefined));
  const known = found.find((each) => each !== undefined);
  if (known) return known;
  const isAsked = tables.some(({ saved, isNewSchema }) => saved.kind === 'none' && isNewSchema);
  if (!isAsked || (await context.stateFiles.isEmpty())) return undefined;
  const former = await formerPlace(context);
  if (former?.kind !== 'schema') return former;
  const { all } = await context.destination.withReading(readStateSchemas);
  return all.includes(former.name) ? former : undefined;
}

/** An own schema of a table is not that of the pipeline. */
export const isElsewhere = (
  { kind }: Elsewhere,
  { settings, saved }: Omit<SoughtTable, 'isNewSchema'>,
): boolean => saved.kind === 'none' && (kind === 'database' || settings.destinationSchema === undefined);

/** Undefined if one table shows that the place is right. */
async function formerPlace(
  context: Pick<RunContext, 'settings' | 'destination' | 'stateFiles'>,
): Promise<Elsewhere | undefined> {
  const server = await context.destination.identity();
  const { pipeline } = context.settings;
  let former: Elsewhere | undefined;
  for await (const files of everyStateFile(context)) {
    const places = files.map(({ table, names, file }) =>
      file.kind === 'record' ? placeIn(file.record, { pipeline, table, names, server }) : undefined,
    );
    if (places.includes('here')) return undefined;
    former ??= places.find((place) => typeof place === 'object');
  }
  return former;
}

interface Expected {
  readonly pipeline: string;
  readonly table: TableSettings;
  readonly names: Pick<TableNames, 'destinationName'>;
  readonly server: ServerIdentity;
}

function placeIn(
  record: StateRecord,
  { pipeline, table, names: { destinationName }, server }: Expected,
): Elsewhere | 'here' | undefined {
  if (record.pipeline !== pipeline) return undefined;
  if (!isAbout(record, server)) {
    const name = record.destinationServer?.database ?? '';
    return name === server.database ? undefined : { kind: 'database', name };
  }
  if (table.destinationSchema !== undefined) return undefined;
  const { schema } = record.destination;
  return schema === destinationName.schema ? 'here' : { kind: 'schema', name: schema };
}
