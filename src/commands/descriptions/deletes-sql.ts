import type { CommandDescription } from './description.ts';

export const deletesSql = (): CommandDescription => ({
  name: 'deletes-sql',
  summary: 'print SQL that records deleted rows at the source',
  description:
    'Prints the statements with which the owner of a source table records its deleted rows, for "deletes_from". increp runs none of them.',
  tables: 'these tables; * stands for any characters',
  options: {},
  examples: ['deletes-sql orders'],
});
