import { destination, exclude, flag, json, type CommandDescription } from './description.ts';

export const sequences = (): CommandDescription => ({
  name: 'sequences',
  summary: 'set sequences beyond the copied values',
  description:
    'Sets sequences and identity columns of the destination beyond the values of the rows and of the source. For tables with "constraints": "copy", it creates missing ones. Run it after the last sync, before applications write to the destination.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Options: [exclude(), destination(), flag('-n, --dry-run', 'show what would be set, and change nothing')],
    Output: [json()],
  },
  examples: ['sequences --dry-run', 'sequences', 'sequences orders --json'],
});
