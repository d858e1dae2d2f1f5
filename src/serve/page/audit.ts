/** The changes that people made. Pure. */
import type { AuditRow } from '../read/audit.ts';
import { ago, dataTable, NONE, type Html } from './html.ts';

export const auditTable = (rows: readonly AuditRow[], now: Date): Html =>
  dataTable({
    caption: 'Changes by people, newest first',
    columns: [
      { title: 'When' },
      { title: 'Token' },
      { title: 'Action' },
      { title: 'Table' },
      { title: 'Answer' },
    ],
    rows: rows.map(({ at, actor, action, table, detail, status }) => [
      ...[ago(at, now), actor ?? 'no valid token', actionWord(action)],
      ...[table ?? (typeof detail['table'] === 'string' ? detail['table'] : NONE), answerWord(status)],
    ]),
    empty: 'There are no changes by people.',
  });

/** A form of the page has the name of its action in the path. */
const actionWord = (action: string): string => /\/do\/([\w-]+)$/.exec(action)?.[1] ?? action;

const answerWord = (status: number): string => (status < 400 ? 'done' : `refused (${status})`);
