/**
 * Connections: pipelines of the API name them, and each worker finds their settings in variables. `CONNECTION_SHOP_URL`
 * is for the connection "shop" what `SOURCE_URL` or `DEST_URL` is for a side of a directory.
 */
import type { Environment } from '../../environment.ts';
import type { GivenConfiguration } from '../given-configuration.ts';
import { VARIABLES } from '../environment/variables.ts';
import { connectionsOf, type PipelineDefinition } from './definition.ts';
import { credentialsIn, environmentOf, sharedIn, withFiles, withoutPrefix } from './pipeline-environment.ts';

/** The settings of a connection, without the schema, which belongs to the pipeline. */
const FIELDS: readonly string[] = VARIABLES.flatMap(({ name }) =>
  name.startsWith('SOURCE_') && name !== 'SOURCE_SCHEMA' ? [name.slice('SOURCE_'.length)] : [],
);

const KNOWN = withFiles(FIELDS);

/** `CONNECTION_SHOP_`. */
export const prefixOf = (connection: string): string => `CONNECTION_${connection.toUpperCase()}_`;

const VARIABLE = new RegExp(`^CONNECTION_([A-Z0-9][A-Z0-9_]{0,39})_(?:${FIELDS.join('|')})(?:_FILE)?$`);

/** The names of the connections that have a variable. */
export function connectionsIn(environment: Environment): readonly string[] {
  const names = Object.entries(environment).flatMap(([name, value]) => (value ? [name] : []));
  const found = [...names, ...credentialsIn(environment['CREDENTIALS_DIRECTORY'])].flatMap(
    (name) => VARIABLE.exec(name)?.[1]?.toLowerCase() ?? [],
  );
  return [...new Set(found)].toSorted();
}

/** Of the pipeline and of several destinations, each with all connections that it needs. */
export type Resolved =
  | { readonly environment: Environment; readonly given: GivenConfiguration }
  /** The names of connections that are not here. */
  | { readonly missing: readonly string[] };

interface ResolvedPlace {
  readonly name: string;
  readonly definition: PipelineDefinition;
  readonly environment: Environment;
  /** Where the pipeline keeps its state files, unless a variable names another directory. */
  readonly stateDirectory: string;
}

/** The environment of a pipeline that has no directory, as if its variables had the names of sides. */
export function resolveConnections({
  name,
  definition,
  environment,
  stateDirectory,
}: ResolvedPlace): Resolved {
  const { source, destinations, source_schema, dest_schema, config } = definition;
  const here = connectionsIn(environment);
  const missing = connectionsOf(definition).filter((connection) => !here.includes(connection));
  if (missing.length > 0) return { missing };
  const sideOf = (prefix: 'SOURCE_' | 'DEST_', connection: string): Environment =>
    withPrefix(prefix, withoutPrefix(environment, prefixOf(connection), KNOWN));
  const common = {
    ...withoutConnections(environmentOf(name, environment), sharedIn(environment)),
    ...sideOf('SOURCE_', source),
    ...{ PIPELINE_NAME: name, SOURCE_SCHEMA: source_schema, DEST_SCHEMA: dest_schema },
  };
  const withState = { STATE_DIR: stateDirectory, ...common };
  const each = destinations.map((connection) => ({
    name: connection,
    environment: { ...withState, ...sideOf('DEST_', connection) },
  }));
  return {
    environment: each.length === 1 ? { ...each[0]?.environment } : withState,
    given: { tables: { document: { value: config }, destinations: undefined }, source, destinations: each },
  };
}

const withPrefix = (prefix: string, environment: Environment): Environment =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [`${prefix}${name}`, value]));

/** The pipeline has no connection besides those that it names, and programs that it starts need no other. */
const withoutConnections = (own: Environment, shared: Environment): Environment =>
  Object.fromEntries(
    Object.entries(own).filter(([name]) =>
      name in shared ? !name.startsWith('CONNECTION_') : !/^(SOURCE|DEST)_|^PIPELINE_NAME/.test(name),
    ),
  );
