/** What there is to say of `where`, `transform` and `query`: pure. */
import { formatCount, listed } from '../format.ts';
import { calledIn, clockWordsIn } from '../sql/user-sql.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';

const LISTED = 5;

export const selectionFindings = (table: TableFacts, { costs }: Inspection): Finding[] => [
  ...whereFindings(table),
  ...changingFindings(table),
  ...costFindings(table, costs.get(table)),
];

const whereFindings = ({ settings: { name, selection, deletes } }: TableFacts): Finding[] =>
  selection.where === null || deletes !== 'ignore'
    ? []
    : [
        warning(
          'WHERE_LEAVES_ROWS',
          name,
          'rows that no longer meet "where" stay in the copy as they were last, because "deletes" is "ignore"',
          'Set "deletes" to "hard" or "soft", or leave it where rows never change in that respect.',
        ),
      ];

/** They tell the time of the transaction, so that the server calls them stable. */
const CLOCKS = ['now', 'transaction_timestamp', 'statement_timestamp'];

function changingFindings({ settings, selected }: TableFacts): Finding[] {
  const expressions = settings.selection.transform.map(({ expression }) => expression);
  const clocks = expressions.flatMap((sql) => [
    ...calledIn(sql).filter((name) => CLOCKS.includes(name)),
    ...clockWordsIn(sql),
  ]);
  const changing = [
    ...selected.changing.flatMap(({ name, isVolatile }) => (isVolatile ? [name] : [])),
    ...clocks,
  ];
  if (changing.length === 0) return [];
  return [
    warning(
      'VOLATILE_SQL',
      settings.name,
      `${listed([...new Set(changing)], LISTED)} may give something else at each call for the same row, so "verify" finds differences that are none`,
      'Use what depends on the row alone. A function of your own that does is declared IMMUTABLE or STABLE: ALTER FUNCTION ... STABLE',
    ),
  ];
}

const costFindings = ({ settings }: TableFacts, cost: ReturnType<Inspection['costs']['get']>): Finding[] =>
  cost === undefined
    ? []
    : [
        note(
          'QUERY_COST',
          settings.name,
          `each sync runs the query for what is new, at a cost of about ${formatCount(Math.round(cost.cost))} by the planner's measure${cost.readWhole.length === 0 ? '' : `, and reads all of ${listed(cost.readWhole, LISTED)}`}`,
          ...(cost.readWhole.length === 0
            ? []
            : [
                'Where that is large: an index that begins with the column behind the replication key, or a query whose replication key is a plain column of such a table.',
              ]),
        ),
      ];
