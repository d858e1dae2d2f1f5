import { Option } from 'commander';
import { collect } from '../terminal/options.ts';
import { flag, json, type Description } from './description.ts';

const repeated = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const init = (): Description => ({
  name: 'init',
  summary: 'make a pipeline: its settings and its tables',
  description:
    'Asks for both databases, tries them, shows the tables and writes .env, tables-config.json and .gitignore. ' +
    'In scripts flags and variables answer. Passwords: SOURCE_PASSWORD, DEST_PASSWORD, or the URLs as variables.',
  options: {
    Databases: [
      new Option('--source-url <url>', 'the source'),
      new Option('--dest-url <url>', 'the destination'),
      new Option('--source-schema <name>', 'schema of the tables').default(undefined, 'public'),
      new Option('--dest-schema <name>', 'schema of the copies').default(undefined, 'as at the source'),
      new Option('--pipeline-name <name>', 'its name in logs, locks and messages').default(
        undefined,
        'name of the directory',
      ),
    ],
    Tables: [
      new Option('--tables <names>', 'these tables (may be repeated)')
        .default([] as readonly string[], 'asked')
        .argParser(collect),
      flag('--all-tables', 'all; small ones without a clear key in mode full-refresh'),
      new Option('--replication-key <key>', 'its column, or TABLE=COLUMN (may be repeated)')
        .default([] as readonly string[], 'the best')
        .argParser(repeated),
      new Option('--unique-cols <key>', "columns of a row's key, or TABLE=COLUMN,COLUMN (may be repeated)")
        .default([] as readonly string[], 'the primary key')
        .argParser(repeated),
      new Option('--full-refresh <table>', 'read it as a whole at each sync (may be repeated)')
        .default([] as readonly string[], 'small tables without a clear key')
        .argParser(repeated),
    ],
    'What is done': [
      flag('-y, --yes', 'ask nothing'),
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
