/** The loss of rows that only the destination table kept: a load into a new or emptied table cannot give them back. */
import { tableCommand } from '../shell-word.ts';

export const keptRowsLost = (table: 'former' | 'destination' = 'former'): string =>
  `the source cannot give again the rows that only the ${table} table kept`;

/** The command accepts the loss, because it names the table. */
export const lossStep = (name: string): string =>
  `If you need these rows, restore them from a backup of the destination. After that, or to accept the loss, run "${tableCommand('verify', name)}"`;
