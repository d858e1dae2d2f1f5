/** A table with copied objects, and what increp has to do for it. */
import type { TableSettings } from '../../config/settings.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import { readObjects } from '../../postgres/table-objects.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import type { TableObjects } from '../../schema/table-objects.ts';
import { readCopiedObjects } from '../../state/copied-objects-file.ts';
import type { RunContext } from '../context/run-context.ts';
import { compareObjects, foreignDefault, type ObjectStep } from './compare-objects.ts';
import { wantedObjects } from './wanted-objects.ts';
import type { LeftOutObject, WantedObject } from './wanted-types.ts';

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

/** Without it, increp asks nothing about indexes and constraints. */
export const copiesObjects = ({
  indexes,
  constraints,
}: Pick<TableSettings, 'indexes' | 'constraints'>): boolean => indexes === 'copy' || constraints === 'copy';

/** `predicted`: destination tables that do not exist yet, by the name of the entry. */
export async function describeCopies(
  {
    settings: { pipeline, destination: home, tables: all, stateDirectory },
    source,
    destination,
  }: ObjectReading,
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
  const recorded = await readCopiedObjects(stateDirectory);
  const referable = all.map((settings) => ({ ...settings, destinationName: nameOf(settings) }));
  return copying.flatMap((settings) => {
    const destinationName = nameOf(settings);
    const key = tableKey(destinationName);
    const there = to.get(key) ?? predicted.get(settings.name);
    const here = from.get(tableKey(settings.source));
    if (!there || !here) return [];
    const { wanted, leftOut } = wantedObjects({
      settings,
      source: here,
      columns: there.columns,
      tables: referable,
    });
    const comparing = {
      there,
      owner: { pipeline, isShared: isShared(settings) },
      hasConstraints: settings.constraints === 'copy',
      hasIndexes: settings.indexes === 'copy',
      defaults: recorded.defaults.filter(({ table }) => table === key),
    };
    return [
      {
        settings,
        destinationName,
        there,
        steps: compareObjects(wanted, comparing),
        hashes: wanted.flatMap(({ hash }) => [hash, `${hash}/valid`]),
        leftOut: [...leftOut, ...differingDefaults(wanted, comparing)],
      },
    ];
  });
}

const differingDefaults = (
  wanted: readonly WantedObject[],
  comparing: Parameters<typeof foreignDefault>[1],
): LeftOutObject[] =>
  wanted.flatMap((object): LeftOutObject[] => {
    const found = object.kind === 'default' ? foreignDefault(object, comparing) : undefined;
    return found
      ? [{ kind: 'default', name: object.name, reason: { code: 'default-differs', at: found.expression } }]
      : [];
  });
