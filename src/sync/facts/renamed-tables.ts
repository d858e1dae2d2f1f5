/** Finds out whether a missing destination table has another name or schema now. */
import * as z from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { tableCommand } from '../../shell-word.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import { askAll } from '../../postgres/catalog-question.ts';
import { carriedType, type NativeCarriers } from '../../schema/columns.ts';
import { archiveName, isSameTable, printName, tableKey, type TableName } from '../../schema/names.ts';
import { statementLines } from '../../report/text.ts';
import { copyKey } from '../../schema/row-identity.ts';
import { PLAINLY } from '../../schema/state-record.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { likeFormerTables } from '../../sql/renamed-table.ts';
import type { RunContext } from '../context/run-context.ts';
import type { DestinationSchema } from './describe-destination.ts';
import type { SavedState } from './saved-state.ts';
import { stateQuestion } from './state-rows.ts';

interface Missing {
  readonly destinationName: TableName;
  readonly destination: unknown;
  readonly saved: SavedState;
  readonly natives: NativeCarriers;
}

/** A table that may be a missing destination table. */
export interface RenamedTable extends TableName {
  /** Whether the last sync wrote to this very table. Otherwise it is only like the missing one. */
  readonly isCertain: boolean;
  /** Other missing tables that it may be as well. */
  readonly rivals: readonly TableName[];
}

/** Of more missing tables, each may be any of the others. */
const MOST_MISSING = 20;

/** More tables that are alike are not former names of one. */
const MOST_ALIKE = 3;

const foundRow = z.object({
  place: z.number(),
  schema: z.string(),
  table: z.string(),
  isCertain: z.boolean(),
});

/**
 * The tables that may be a missing destination table. Without a recorded OID they are compared by shape, so a copy with the same
 * key may be among them.
 */
export async function findRenamed<T extends Missing>(
  { settings, destination }: Pick<RunContext, 'settings' | 'destination'>,
  schemas: ReadonlyMap<string, Pick<DestinationSchema, 'stateTable' | 'stateTableOid'>>,
  tables: readonly T[],
): Promise<ReadonlyMap<T, readonly RenamedTable[]>> {
  const missing = tables.flatMap((table) =>
    !table.destination && table.saved.kind === 'record' && !table.saved.isFromFile
      ? [{ table, record: table.saved.record }]
      : [],
  );
  if (missing.length === 0 || missing.length > MOST_MISSING) return new Map();
  const formers = missing.map(({ table, record }) => {
    const { shape, writtenAs, mergeKey, replicationKey, writtenTo } = record;
    const stateTable = schemas.get(table.destinationName.schema)?.stateTableOid;
    return {
      // After a restore of the schema, the recorded OID is that of nothing, or of another table.
      oid: writtenTo && writtenTo.stateTable === stateTable ? writtenTo.table : null,
      columns: Object.fromEntries(
        shape.columns.map((column) => [column.name, carriedType(column, table.natives)]),
      ),
      key: copyKey({ ...(writtenAs ?? PLAINLY), mergeKey, replicationKey }),
    };
  });
  const own = settings.tables.map((table) => destinationOf(settings.destination, table));
  const readable = [...schemas].flatMap(([name, { stateTable }]) =>
    stateTable === 'readable' ? [name] : [],
  );
  const found = await destination.withReading(async (client) => {
    const { rows } = await client.query(likeFormerTables(formers, readable));
    const names = z
      .array(foundRow)
      .parse(rows)
      .map(({ place, isCertain, ...name }) => ({
        ...{ place, isCertain, destinationName: name, stateName: name },
      }));
    const known = names.filter(({ destinationName: { schema } }) => readable.includes(schema));
    const [stateOf] = await askAll(client, [stateQuestion(settings.pipeline, known)]);
    return names.filter((each) => {
      const { record, isTaken } = stateOf(each);
      return (
        record === undefined && !isTaken && !own.some((other) => isSameTable(other, each.destinationName))
      );
    });
  });
  const claims = Map.groupBy(found, ({ destinationName }) => tableKey(destinationName));
  const widthOf = (place: number) => missing[place]?.record.shape.columns.length ?? 0;
  /** Of the missing tables that it may be: the one that it is, or those with the most columns. */
  const claimantsOf = (name: TableName) => {
    const claimants = claims.get(tableKey(name)) ?? [];
    const certain = claimants.find(({ isCertain }) => isCertain);
    if (certain) return [certain.place];
    const places = claimants.map(({ place }) => place);
    const widest = Math.max(...places.map(widthOf));
    return places.filter((place) => widthOf(place) === widest);
  };
  return new Map(
    missing.flatMap(({ table }, index) => {
      // A refusal has told the operator to rename the table to this name.
      const aside = archiveName(table.destinationName.table);
      const alike = found.flatMap(({ place, isCertain, destinationName }): RenamedTable[] => {
        const claimants = claimantsOf(destinationName);
        if (place !== index || !claimants.includes(index) || destinationName.table === aside) return [];
        const others = claimants.filter((other) => other !== index);
        return [
          {
            ...destinationName,
            isCertain,
            rivals: others.flatMap((other) => missing[other]?.table.destinationName ?? []),
          },
        ];
      });
      return alike.length === 0 || alike.length > MOST_ALIKE ? [] : [[table, alike] as const];
    }),
  );
}

interface Renamed {
  /** Empty if no table may be the missing one. */
  readonly renamedTo: readonly RenamedTable[];
  readonly destinationName: TableName;
  readonly settings: Pick<TableSettings, 'name'>;
}

/** Afterwards it is too late: the rows that the load read would be missing in the former table. */
export function renamedTableNote({ renamedTo, destinationName, settings }: Renamed): string[] {
  const [first, ...others] = renamedTo;
  if (!first) return [];
  const compare = `Then compare it: "${tableCommand('verify', settings.name)}".`;
  if (others.length === 0 && first.rivals.length > 0)
    return [
      `If ${printName(first)} is the former destination table, rename it back to ${printName(destinationName)} before the next sync. It may also be the former ${first.rivals.map(printName).join(' or ')}. ${compare}`,
    ];
  if (first.isCertain)
    return [
      `To keep ${printName(first)}, rename it back before the next sync. At the destination, run:${statementLines(renameTo(first, destinationName))}\n${compare}`,
    ];
  return others.length > 0
    ? [
        `If one of these tables is the former destination table, rename it back to ${printName(destinationName)} before the next sync. ${compare}`,
      ]
    : [
        `If ${printName(first)} is the former destination table, rename it back before the next sync. At the destination, run:${statementLines(renameTo(first, destinationName))}\n${compare}`,
      ];
}

/** The statements that give a table this name. */
export function renameTo(table: TableName, destinationName: TableName): string[] {
  const moved = { ...table, schema: destinationName.schema };
  return [
    ...(table.schema === destinationName.schema
      ? []
      : [`ALTER TABLE ${qualified(table)} SET SCHEMA ${ident(destinationName.schema)}`]),
    ...(table.table === destinationName.table
      ? []
      : [`ALTER TABLE ${qualified(moved)} RENAME TO ${ident(destinationName.table)}`]),
  ];
}

/** After a load into a new table. */
export const replacedBy = (renamedTo: TableName, destinationName: TableName): string[] => [
  `DROP TABLE ${qualified(destinationName)}`,
  ...renameTo(renamedTo, destinationName),
];

export const renamedNames = ({ renamedTo }: Pick<Renamed, 'renamedTo'>): string =>
  renamedTo.map(printName).join(' or ');

export const isRenamed = ({ renamedTo }: Pick<Renamed, 'renamedTo'>): boolean =>
  renamedTo[0]?.isCertain === true;
