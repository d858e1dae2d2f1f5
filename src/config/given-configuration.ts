/** The configuration of a pipeline without files: `increp serve` keeps it, and names of connections instead of URLs. */
import type { Environment } from '../environment.ts';
import type { SettingsReading } from './environment/reading.ts';
import { readValues, type Value, type Values } from './environment/values.ts';
import { VARIABLES } from './environment/variables.ts';
import { readConnection } from './connection/connection.ts';
import { refuseAlike } from './connection/destinations.ts';
import type { Problem } from './problems.ts';
import type { ConnectionSettings, NamedDestination } from './settings.ts';
import type { TablesFile } from './tables/tables.ts';

export interface GivenConfiguration {
  readonly tables: TablesFile;
  /** The name of its connection. */
  readonly source: string;
  /** Each with an environment in which the variables of its connection begin with DEST_. */
  readonly destinations: readonly { readonly name: string; readonly environment: Environment }[];
}

const SIDES = { SOURCE: 'source', DEST: 'destination' } as const;

/** The name of a variable of a connection, but not of the schema, which belongs to the pipeline. */
const VARIABLE = /\b(SOURCE|DEST)_(?!SCHEMA\b)(?=[A-Z])/g;

interface NamedSides {
  readonly source: string;
  /** Undefined if there are several. */
  readonly destination: string | undefined;
}

export const sidesOf = ({ source, destinations }: GivenConfiguration): NamedSides => ({
  source,
  destination: destinations.length === 1 ? destinations[0]?.name : undefined,
});

/** People have written `CONNECTION_SHOP_URL`, not `SOURCE_URL`. */
export function problemOf(problem: Problem, sides: NamedSides): Problem {
  const renamed = (text: string) =>
    text
      .replaceAll(VARIABLE, (variable, side: 'SOURCE' | 'DEST') => {
        const name = sides[SIDES[side]];
        return name === undefined ? variable : `CONNECTION_${name.toUpperCase()}_`;
      })
      .replace(/ in \.env$/, '');
  return { ...problem, where: renamed(problem.where), what: renamed(problem.what) };
}

/** Messages of servers name the place of the connection. */
export function fromConnection(
  { passwordFrom: _passwordFrom, ...connection }: ConnectionSettings,
  name: string,
): ConnectionSettings {
  return { ...connection, urlFrom: `the variables CONNECTION_${name.toUpperCase()}_...` };
}

const secretValues = (values: Values): readonly Value[] =>
  VARIABLES.flatMap(({ name, isSecret }) => (isSecret ? (values.get(name) ?? []) : []));

interface GivenDestinations {
  readonly found: readonly NamedDestination[];
  /** URLs and other values that hold secrets. */
  readonly secrets: readonly Value[];
}

/** Several destinations, each with all settings of a connection. */
export async function readGivenDestinations(
  reading: SettingsReading,
  { source, destinations }: GivenConfiguration,
): Promise<GivenDestinations> {
  const found: NamedDestination[] = [];
  const secrets: Value[] = [];
  for (const { name, environment } of destinations) {
    const report = (problem: Problem) => reading.report(problemOf(problem, { source, destination: name }));
    const layers = { directory: reading.directory, environment, envFile: {}, overrides: {}, report };
    const values = await readValues(layers);
    secrets.push(...secretValues(values));
    const connection = await readConnection({ ...reading, values, environment, report }, 'DEST');
    if (connection) found.push({ name, connection: fromConnection(connection, name), origin: name });
  }
  refuseAlike(reading, found);
  return { found, secrets };
}
