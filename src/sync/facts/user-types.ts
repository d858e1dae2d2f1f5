/** Reads the type definitions for `types: "native"`, with one query at each side. */
import type pg from 'pg';
import { describeDestinationTypes, describeSourceTypes } from '../../postgres/types.ts';
import type { Column } from '../../schema/columns.ts';
import {
  homeOf,
  NO_NATIVE_TYPES,
  resolveNativeTypes,
  type TypeSchemas,
  type NativeTypes,
} from '../../schema/native-types.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import type { TypeDefinition } from '../../schema/type-definitions.ts';
import type { SelectedSource } from './source-selection.ts';
import type { RunContext } from '../context/run-context.ts';

const isUserDefined = ({ type, base }: Column): boolean => !base.isBuiltIn || type !== base.type;

export const homesOf = (names: {
  readonly sourceName: TableName;
  readonly destinationName: TableName;
}): TypeSchemas => ({ source: names.sourceName.schema, destination: names.destinationName.schema });

interface Concerned extends Pick<SelectedSource, 'relation' | 'types'> {
  readonly homes: TypeSchemas;
}

/** By relation. There is no query if no column has a user-defined type. */
export async function gatherNativeTypes(
  { source, destination }: Pick<RunContext, 'source' | 'destination'>,
  tables: readonly Concerned[],
): Promise<(relation: Relation | undefined) => NativeTypes> {
  const concerned = tables.flatMap(({ relation, ...rest }) =>
    relation?.columns.some(isUserDefined) === true ? [{ relation, ...rest }] : [],
  );
  if (concerned.length === 0) return () => NO_NATIVE_TYPES;
  const oids = concerned.map(({ relation }) => relation.oid);
  const fields = concerned.flatMap(({ types }) => types);
  const wanted = await source.withReading((client) => describeSourceTypes(client, oids, fields));
  const homes = distinct(concerned.map((table) => table.homes));
  const found = await destination.withReading((client) => describeFound(client, wanted.definitions, homes));
  const resolved = new Map(
    concerned.map((table) => [
      table.relation,
      resolveNativeTypes(table.relation.columns, wanted, found, table.homes),
    ]),
  );
  return (relation) => (relation && resolved.get(relation)) ?? NO_NATIVE_TYPES;
}

const distinct = (homes: readonly TypeSchemas[]): TypeSchemas[] =>
  homes.filter(
    (each, index) =>
      homes.findIndex((other) => other.source === each.source && other.destination === each.destination) ===
      index,
  );

/** The types that exist at the destination, in the schemas where the tables need them. */
export const describeFound = (
  client: pg.ClientBase,
  definitions: readonly TypeDefinition[],
  homes: readonly TypeSchemas[],
) =>
  describeDestinationTypes(
    client,
    homes.flatMap((each) =>
      definitions.map((type) => ({
        ...homeOf(type, each),
        extension: type.extension,
        functions: type.functions,
      })),
    ),
  );
