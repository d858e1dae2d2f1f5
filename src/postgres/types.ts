/** Reads user-defined types from the catalogs and validates them. Run these queries with an empty search_path. */
import type pg from 'pg';
import type { ProtocolType } from './describe-select.ts';
import {
  destinationTypesSchema,
  sourceTypesSchema,
  type DestinationTypes,
  type SourceTypes,
  type TypeDefinition,
} from '../schema/type-definitions.ts';
import { DESCRIBE_DESTINATION_TYPES, DESCRIBE_SOURCE_TYPES } from '../sql/types.ts';

/** The types of the columns of these relations, and of `fields`. */
export async function describeSourceTypes(
  client: pg.ClientBase,
  oids: readonly string[],
  fields: readonly ProtocolType[],
): Promise<SourceTypes> {
  const uses = [fields.map(({ type }) => type), fields.map(({ modifier }) => modifier)];
  return sourceTypesSchema.parse((await client.query(DESCRIBE_SOURCE_TYPES, [oids, ...uses])).rows[0]);
}

interface WantedType {
  readonly schema: string;
  readonly name: string;
  readonly extension: string | null;
  readonly functions: TypeDefinition['functions'];
}

export async function describeDestinationTypes(
  client: pg.ClientBase,
  wanted: readonly WantedType[],
): Promise<DestinationTypes> {
  const { rows } = await client.query(DESCRIBE_DESTINATION_TYPES, [
    wanted.map(({ schema }) => schema),
    wanted.map(({ name }) => name),
    wanted.flatMap(({ extension }) => extension ?? []),
    wanted.flatMap(({ functions }) => functions.map(({ signature }) => signature)),
  ]);
  return destinationTypesSchema.parse(rows[0]);
}
