/** Options that are valid before or after any command. */
import { Option } from 'commander';

export const globalOptions = (): readonly Option[] => [
  new Option(
    '-C, --directory <dir>',
    'the directory of the pipeline: .env, tables-config.json and sync-state',
  ).default(undefined, 'current directory'),
  new Option('--no-color', 'do not use colors'),
];

/** The variables of flags. Interactive flags have no variable. Permanent settings belong in `.env`. */
export const ENVIRONMENT_OF: Readonly<Record<string, string>> = {
  '--directory': 'INCREP_DIR',
  '--no-color': 'NO_COLOR',
  '--source-url': 'SOURCE_URL, or SOURCE_HOST and so on',
  '--dest-url': 'DEST_URL, or DEST_HOST and so on',
  '--source-schema': 'SOURCE_SCHEMA',
  '--dest-schema': 'DEST_SCHEMA',
  '--pipeline-name': 'PIPELINE_NAME',
};
