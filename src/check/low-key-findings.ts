/** What makes new rows come with keys below the largest one: pure. */
import { formatBytes } from '../format.ts';
import { hasSystemColumns, type Relation } from '../schema/relations.ts';
import { SCANNED_BYTES } from '../sync/fence/window-choice.ts';
import { warning, type Finding } from './finding.ts';
import type { KeyInspection } from './inspect.ts';

interface KeyedTable {
  readonly name: string;
  readonly key: string;
  readonly source: Relation;
}

export const lowKeyFindings = (table: KeyedTable, found: KeyInspection): Finding[] => [
  ...aheadFindings(table, found),
  ...sequenceFindings(table, found),
  ...appliedFindings(table, found),
];

function aheadFindings({ name, key }: KeyedTable, found: KeyInspection): Finding[] {
  const { farAhead, isUncertain, unreadableSequence } = found;
  if (isUncertain)
    return [
      warning(
        'SEQUENCE_BEHIND',
        name,
        `many rows have a ${key} above the last value of its sequence, so the largest ${key} does not show where new rows come`,
        'Set the sequence to the largest value at the source (SELECT setval), or correct those rows.',
      ),
    ];
  if (!farAhead) return [];
  const grant =
    unreadableSequence === null
      ? ''
      : ` If the role of increp may read the sequence (GRANT SELECT ON SEQUENCE ${unreadableSequence}), no such row is mistaken.`;
  return [
    warning(
      'KEYS_FAR_AHEAD',
      name,
      `the largest ${key} (${farAhead.top}) is far above the others${farAhead.high === null ? '' : ` (up to ${farAhead.high})`}: such rows are never the cursor, and every sync reads them again`,
      `Correct those rows.${grant}`,
    ),
  ];
}

function sequenceFindings(table: KeyedTable, { cachedSequence, pool }: KeyInspection): Finding[] {
  const { name, key } = table;
  return [
    ...(cachedSequence === null
      ? []
      : [
          warning(
            'SEQUENCE_CACHE',
            name,
            `${cachedSequence} hands numbers to sessions in advance, so a later transaction can write a lower ${key}; ${whatHappens(table)}`,
            `At the source: ALTER SEQUENCE ${cachedSequence} CACHE 1`,
          ),
        ]),
    ...(pool === null
      ? []
      : [
          warning(
            'SEQUENCE_POOL',
            name,
            `${pool.name} counts by ${pool.increment}: an application that uses the numbers in between, such as Hibernate, can write a lower ${key} later; ${whatHappens(table)}`,
            `Choose a replication_key that every change sets (updated_at), or run "increp verify --repair" now and then.`,
          ),
        ]),
  ];
}

function appliedFindings(
  table: KeyedTable,
  { origin: { isSubscribed, isCopied } }: KeyInspection,
): Finding[] {
  const { name, key } = table;
  if (!isSubscribed && !isCopied) return [];
  const who = isSubscribed ? 'a subscription of logical replication' : 'a pipeline of increp';
  return [
    warning(
      'APPLIED_ROWS',
      name,
      `${who} writes ${isSubscribed ? 'this table' : 'into this schema'} at the source, and its rows keep the ${key} that they had elsewhere, which may be below the cursor; ${whatHappens(table)}`,
      `Set "lookback" longer than that replication can lag, or set ${key} at this server by a trigger${isSubscribed ? ' (ALTER TABLE ... ENABLE ALWAYS TRIGGER)' : ''}.`,
    ),
  ];
}

const whatHappens = ({ source }: KeyedTable): string =>
  !hasSystemColumns(source) || source.kind === 'materialized view'
    ? 'such rows are missed'
    : source.bytes <= SCANNED_BYTES
      ? `such rows are found as long as the table is not larger than ${formatBytes(SCANNED_BYTES)}`
      : `such rows are missed, because the table is larger than ${formatBytes(SCANNED_BYTES)}`;
