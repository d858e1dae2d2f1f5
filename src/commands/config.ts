/** `increp config`: shows the effective settings and the origin of each. It connects to no server. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { resolveDirectory } from '../config/directory.ts';
import { effectiveDestinations, effectiveSettings, effectiveTables } from '../config/effective.ts';
import { readConfiguration, type Configuration } from '../config/load.ts';
import type { ConnectionSettings } from '../config/settings.ts';
import { formatEffective, type Effective } from '../report/config.ts';
import { parameterNote, tunnelNote } from '../report/parameter-notes.ts';
import { printError } from './terminal/print-error.ts';
import { redactedJson, redactor } from '../redact.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import { version } from '../version.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { tablesMeant } from '../pipeline/select-tables.ts';

export interface ConfigOptions extends GlobalOptions {
  readonly json: boolean;
}

/**
 * If the configuration has problems, the readable part is shown first and the problems after it. In a directory that
 * is not a pipeline, this part would be defaults only.
 */
export async function configCommand(tables: readonly string[], options: ConfigOptions): Promise<number> {
  const { terminal } = options;
  const directory = resolveDirectory(options);
  const configuration = await readConfiguration({ directory, environment: options.environment });
  const { error, secrets, openNames, isPipeline } = configuration;
  if (error && !isPipeline && !options.json) throw error;
  const redact = redactor(secrets, openNames);
  const effective = effectiveConfiguration(configuration, directory, tables);
  terminal.out(
    options.json
      ? redactedJson(toJson(effective, configuration), redact)
      : redact(formatEffective(effective, terminal.style)),
  );
  if (!error) return 0;
  printError(error, terminal, { isJson: false, isVerbose: false });
  return error.exitCode;
}

function effectiveConfiguration(
  configuration: Configuration,
  directory: string,
  names: readonly string[],
): Effective {
  const tables = effectiveTables(configuration);
  const chosen = names.flatMap((name) => tablesMeant(tables, name));
  const settings = effectiveSettings(configuration, directory);
  const state = settings.find(({ name }) => name === 'STATE_DIR')?.value ?? '';
  const tablesFile = join(directory, 'tables-config.json');
  return {
    version: version(),
    directory,
    files: [
      {
        name: '.env',
        what: configuration.hasEnvFile
          ? join(directory, '.env')
          : `${join(directory, '.env')} (missing or unreadable)`,
      },
      {
        name: 'tables',
        what: existsSync(tablesFile) ? tablesFile : `${tablesFile} (missing)`,
      },
      { name: 'state', what: resolve(directory, state) },
    ],
    settings,
    destinations: effectiveDestinations(configuration),
    tables: tables.filter((table) => names.length === 0 || chosen.includes(table)),
    warnings: configuration.warnings,
    notes: notesOf(configuration),
  };
}

function notesOf({ connections }: Configuration): string[] {
  if (!connections) return [];
  const { source, destination, destinations } = connections;
  const sides =
    destinations.length === 0
      ? [{ connection: source }, { connection: destination }]
      : [{ connection: source }, ...destinations];
  const notes = sides.flatMap(({ connection, name }: { connection: ConnectionSettings; name?: string }) => [
    tunnelNote(connection, name),
    parameterNote(connection, name),
  ]);
  return notes.filter((note) => note !== undefined);
}

const toJson = (effective: Effective, { error }: Configuration): object => ({
  type: 'config',
  format_version: FORMAT_VERSION,
  version: effective.version,
  directory: effective.directory,
  files: Object.fromEntries(effective.files.map(({ name, what }) => [name, what])),
  settings: Object.fromEntries(effective.settings.map(({ name, value, from }) => [name, { value, from }])),
  ...(effective.destinations.length > 0 && { destinations: effective.destinations }),
  tables: effective.tables.map(({ name, options }) => ({
    name,
    options: Object.fromEntries(options.map(({ name: key, value, from }) => [key, { value, from }])),
  })),
  warnings: effective.warnings,
  notes: effective.notes,
  error: error ? errorToJson(error) : null,
});
