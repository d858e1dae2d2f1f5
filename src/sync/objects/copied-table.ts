/** A table with copied objects, and what increp has to do for it. */
import type { TableSettings } from '../../config/settings.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import { readObjects } from '../../postgres/table-objects.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import type { TableObjects } from '../../schema/table-objects.ts';
import type { RunContext } from '../context/run-context.ts';
import { compareObjects, type ObjectStep } from './compare-objects.ts';
import { wantedObjects, type LeftOutObject } from './wanted-objects.ts';

export type ObjectReading = Pick<RunContext, 'settings' | 'source' | 'destination'>;

export interface CopiedTable {
  readonly settings: TableSettings;
  readonly destinationName: TableName;
  /** The table at the destination. */
  readonly there: TableObjects;
  readonly steps: readonly ObjectStep[];
  /** Of all wanted objects. */
  readonly hashes: readonly string[];
  readonly leftOut: readonly LeftOutObject[];
}

/** Without it, increp asks nothing about indexes. */
export const copiesObjects = ({ indexes }: Pick<TableSettings, 'indexes'>): boolean => indexes === 'copy';

/** `predicted`: the columns of destination tables that do not exist yet, by the name of the entry. */
export async function describeCopies(
  { settings: { pipeline, destination: home }, source, destination }: ObjectReading,
  tables: readonly TableSettings[],
  predicted: ReadonlyMap<string, TableObjects> = new Map(),
): Promise<readonly CopiedTable[]> {
  const copying = tables.filter(copiesObjects);
  if (copying.length === 0) return [];
  const nameOf = (settings: TableSettings) => destinationOf(home, settings);
  const [from, to] = await Promise.all([
    readObjects(
      source,
      copying.map((settings) => settings.source),
    ),
    readObjects(destination, copying.map(nameOf)),
  ]);
  return copying.flatMap((settings) => {
    const destinationName = nameOf(settings);
    const there = to.get(tableKey(destinationName)) ?? predicted.get(settings.name);
    const here = from.get(tableKey(settings.source));
    if (!there || !here) return [];
    const { wanted, leftOut } = wantedObjects(settings, here, there.columns);
    const owner = { pipeline, isShared: isShared(settings) };
    const steps = compareObjects(wanted, there, owner);
    const hashes = wanted.map(({ hash }) => hash);
    return [{ settings, destinationName, there, steps, hashes, leftOut }];
  });
}
