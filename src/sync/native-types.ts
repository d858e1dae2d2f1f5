/** What `types: "native"` has to know, gathered in a query a side. */
import type pg from 'pg';
import { describeDestinationTypes, describeSourceTypes } from '../postgres/types.ts';
import type { Column } from '../schema/columns.ts';
import {
  homeOf,
  NO_NATIVE_TYPES,
  resolveNativeTypes,
  type Homes,
  type NativeTypes,
} from '../schema/native-types.ts';
import type { Relation } from '../schema/relations.ts';
import type { TypeDefinition } from '../schema/type-definitions.ts';
import type { SelectedSource } from './selected-source.ts';
import type { Work } from './work.ts';

const isUserDefined = ({ type, base }: Column): boolean => !base.isBuiltIn || type !== base.type;

/** By relation. Nothing is asked where no column of these has a user-defined type. */
export async function gatherNativeTypes(
  { settings, source, destination }: Pick<Work, 'settings' | 'source' | 'destination'>,
  sources: readonly Pick<SelectedSource, 'relation' | 'types'>[],
): Promise<(relation: Relation | undefined) => NativeTypes> {
  const concerned = sources.flatMap(({ relation, types }) =>
    relation?.columns.some(isUserDefined) === true ? [{ relation, types }] : [],
  );
  if (concerned.length === 0) return () => NO_NATIVE_TYPES;
  const homes: Homes = { source: settings.source.schema, destination: settings.destination.schema };
  const oids = concerned.map(({ relation }) => relation.oid);
  const fields = concerned.flatMap(({ types }) => types);
  const wanted = await source.withReading((client) => describeSourceTypes(client, oids, fields));
  const found = await destination.withReading((client) => describeFound(client, wanted.definitions, homes));
  const resolved = new Map(
    concerned.map(({ relation }) => [relation, resolveNativeTypes(relation.columns, wanted, found, homes)]),
  );
  return (relation) => (relation && resolved.get(relation)) ?? NO_NATIVE_TYPES;
}

export const describeFound = (client: pg.ClientBase, definitions: readonly TypeDefinition[], homes: Homes) =>
  describeDestinationTypes(
    client,
    definitions.map((type) => ({ ...homeOf(type, homes), extension: type.extension })),
  );
