/** Finds reasons why new rows may have keys below the largest one: pure. */
import { formatBytes } from '../format.ts';
import { hasSystemColumns, type Relation } from '../schema/relations.ts';
import { SCANNED_BYTES } from '../sync/fence/window-choice.ts';
import { warning, type Finding } from './finding.ts';
import type { KeyInspection } from './inspect-keys.ts';

interface CheckedKey {
  readonly name: string;
  readonly key: string;
  readonly source: Relation;
}

export const lowKeyFindings = (table: CheckedKey, found: KeyInspection): Finding[] => [
  ...aheadFindings(table, found),
  ...sequenceFindings(table, found),
  ...appliedFindings(table, found),
];

function aheadFindings({ name, key }: CheckedKey, found: KeyInspection): Finding[] {
  const { farAhead, isUncertain, unreadableSequence } = found;
  if (isUncertain)
    return [
      warning(
        'SEQUENCE_BEHIND',
        name,
        `many rows have ${key} above the last value of its sequence, so new rows have lower keys than the largest ${key}`,
        'At the source, set the sequence to the largest value (SELECT setval), or correct those rows.',
      ),
    ];
  if (!farAhead) return [];
  const grant =
    unreadableSequence === null
      ? ''
      : ` Or allow increp to read the sequence: GRANT SELECT ON SEQUENCE ${unreadableSequence}.`;
  return [
    warning(
      'KEYS_FAR_AHEAD',
      name,
      `the largest ${key} (${farAhead.top}) is far above all others${farAhead.high === null ? '' : ` (up to ${farAhead.high})`}, so every sync reads such rows again`,
      `Correct those rows.${grant}`,
    ),
  ];
}

function sequenceFindings(table: CheckedKey, { cachedSequence, pool }: KeyInspection): Finding[] {
  const { name, key } = table;
  return [
    ...(cachedSequence === null
      ? []
      : [
          warning(
            'SEQUENCE_CACHE',
            name,
            `the sequence ${cachedSequence} caches numbers per session, so a later transaction can write a lower ${key}; ${whatHappens(table)}`,
            `At the source: ALTER SEQUENCE ${cachedSequence} CACHE 1`,
          ),
        ]),
    ...(pool === null
      ? []
      : [
          warning(
            'SEQUENCE_POOL',
            name,
            `the sequence ${pool.name} increments by ${pool.increment}, and an application such as Hibernate can use the numbers in between for a lower ${key}; ${whatHappens(table)}`,
            `Use a replication_key that every change sets (updated_at), or run regularly: "increp verify --repair".`,
          ),
        ]),
  ];
}

function appliedFindings(
  table: CheckedKey,
  { origin: { isSubscribed, isCopied } }: KeyInspection,
): Finding[] {
  const { name, key } = table;
  if (!isSubscribed && !isCopied) return [];
  const writer = isSubscribed ? 'a subscription of logical replication' : 'a pipeline of increp';
  return [
    warning(
      'APPLIED_ROWS',
      name,
      `${writer} writes ${isSubscribed ? 'this table' : 'into this schema'} at the source, so its rows can have ${key} from elsewhere that is below the cursor; ${whatHappens(table)}`,
      `Set "lookback" longer than the lag of that replication, or set ${key} by a trigger at this server${isSubscribed ? ' (ALTER TABLE ... ENABLE ALWAYS TRIGGER)' : ''}.`,
    ),
  ];
}

const whatHappens = ({ source }: CheckedKey): string =>
  !hasSystemColumns(source) || source.kind === 'materialized view'
    ? 'such rows are missed'
    : source.bytes <= SCANNED_BYTES
      ? `such rows are found while the table is not larger than ${formatBytes(SCANNED_BYTES)}`
      : `such rows are missed, because the table is larger than ${formatBytes(SCANNED_BYTES)}`;
