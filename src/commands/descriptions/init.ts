import { Option } from 'commander';
import { collect } from '../terminal/options.ts';
import { flag, json, type CommandDescription } from './description.ts';

const repeated = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const init = (): CommandDescription => ({
  name: 'init',
  summary: 'create a pipeline: settings and tables',
  description:
    'Asks for both databases, tests the connections, lists the tables, and writes .env, tables-config.json and .gitignore. ' +
    'In scripts, use flags and variables. Set passwords in SOURCE_PASSWORD and DEST_PASSWORD, or in URLs.',
  options: {
    Databases: [
      new Option('--source-url <url>', 'connection URL of the source'),
      new Option('--dest-url <url>', 'connection URL of the destination'),
      new Option('--source-schema <name>', 'schema of the source tables').default(undefined, 'public'),
      new Option('--dest-schema <name>', 'schema of the destination tables').default(
        undefined,
        'the source schema',
      ),
      new Option('--pipeline-name <name>', 'name of the pipeline in logs, locks and messages').default(
        undefined,
        'name of the directory',
      ),
    ],
    Tables: [
      new Option('--tables <names>', 'sync these tables (repeatable)')
        .default([] as readonly string[], 'asked')
        .argParser(collect),
      flag(
        '--all-tables',
        'sync all tables; small tables without a clear replication key in mode full-refresh',
      ),
      new Option('--replication-key <key>', 'replication key: COLUMN or TABLE=COLUMN (repeatable)')
        .default([] as readonly string[], 'best candidate')
        .argParser(repeated),
      new Option('--unique-cols <key>', 'unique key: COLUMN,COLUMN or TABLE=COLUMN,COLUMN (repeatable)')
        .default([] as readonly string[], 'primary key')
        .argParser(repeated),
      new Option('--full-refresh <table>', 'read this table as a whole at each sync (repeatable)')
        .default([] as readonly string[], 'small tables without a clear replication key')
        .argParser(repeated),
    ],
    Options: [
      flag('-y, --yes', 'do not ask questions'),
      flag('--force', 'overwrite .env and tables-config.json'),
    ],
    Output: [json()],
  },
  examples: [
    'init',
    'init -C /srv/shop --yes --all-tables',
    'init --yes --tables orders,log --replication-key log=id',
  ],
});
