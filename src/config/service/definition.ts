/** A pipeline without a directory, as the API takes it and the control database keeps it. */
import * as z from 'zod';
import type { Problem } from '../problems.ts';
import { isObject } from '../tables/json.ts';
import { TABLES_FILE } from '../tables/schema-problems.ts';
import { isIdentifier, IDENTIFIER } from '../tables/identifiers.ts';
import type { DefaultSchemas } from '../tables/raw-entry.ts';
import { outlineOf, type PipelineOutline } from './schedules.ts';

const CONNECTION = '1 to 40 of a-z, 0-9 and _, the first a letter or digit';

const connectionName = z
  .string({ error: CONNECTION })
  .regex(/^[a-z0-9][a-z0-9_]{0,39}$/, { error: CONNECTION })
  .describe('The name of a connection. Each worker has its settings in variables: CONNECTION_<NAME>_URL.');

const schema = z.string({ error: IDENTIFIER }).refine(isIdentifier, { error: IDENTIFIER }).optional();

const DESTINATIONS = 'an array of different names of connections, from 1 to 100';

/** Strict: a host, a password or a file in a request is refused by its name. */
export const definitionSchema = z.strictObject({
  source: connectionName,
  destinations: z
    .array(connectionName, { error: DESTINATIONS })
    .min(1, { error: DESTINATIONS })
    .max(100, { error: DESTINATIONS })
    .refine((names) => new Set(names).size === names.length, { error: DESTINATIONS }),
  source_schema: schema.describe('Schema of the tables at the source. Default: public.'),
  dest_schema: schema.describe('Schema of the tables at the destinations. Default: that of the source.'),
  config: z
    .union([z.array(z.unknown()), z.record(z.string(), z.unknown())], {
      error: 'the content of tables-config.json',
    })
    .describe('The content of tables-config.json, without "$schema" and "destinations".'),
});

export type PipelineDefinition = z.infer<typeof definitionSchema>;

/** The names of its connections, each once. */
export const connectionsOf = ({
  source,
  destinations,
}: Pick<PipelineDefinition, 'source' | 'destinations'>): readonly string[] => [
  ...new Set([source, ...destinations]),
];

/** Keys of tables-config.json that name a file, a variable or an address. */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  $schema: 'names a file, and a pipeline of the API has no files; leave it out',
  destinations:
    'names URLs, variables or SSH servers; write the names of connections into "destinations" beside "config"',
};

/** The schedules and the number of jobs, or all that is wrong. */
export function outlineOfDefinition(name: string, definition: PipelineDefinition): PipelineOutline {
  const { config } = definition;
  const keys = isObject(config) ? Object.keys(config) : [];
  const refused = keys.flatMap((key): Problem[] => {
    const what = REFUSED_KEYS[key];
    return what === undefined ? [] : [{ where: `config.${key}`, what }];
  });
  return outlineOf({
    file: { document: { value: config }, destinations: undefined },
    homes: homesOf(definition),
    problems: refused,
    place: { pipeline: name, next: 'Correct the definition, then send it again.' },
    placeOf: inConfig,
  });
}

/** `config.tables[2]`, for what a file calls `tables-config.json, tables[2]`. */
const inConfig = (where: string): string =>
  where.startsWith(TABLES_FILE)
    ? `config.${where.slice(TABLES_FILE.length).replace(/^, /, '')}`.replace(/\.(?=\[|$)/, '')
    : where;

function homesOf({ source_schema: source, dest_schema: destination }: PipelineDefinition): DefaultSchemas {
  const own = { schema: source ?? 'public', isSchemaGiven: source !== undefined };
  return {
    source: own,
    destination: { schema: destination ?? own.schema, isSchemaGiven: destination !== undefined },
  };
}
