/** Findings about `where`, `transform` and `query`: pure. */
import { formatCount, listed } from '../format.ts';
import { misspeltStep, misspeltText, misspeltTransforms } from '../schema/misspelt-transforms.ts';
import { calledIn, clockWordsIn } from '../sql/user-sql.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';

const LISTED = 5;

export const selectionFindings = (table: TableFacts, { costs, gone }: Inspection): Finding[] => [
  // LOAD_REMOVES says what the next sync does.
  ...((gone.get(table)?.gone ?? 0) > 0 ? [] : whereFindings(table)),
  ...misspeltFindings(table),
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
          'rows that no longer match "where" stay unchanged in the destination table, because "deletes" is "ignore"',
          'Set "deletes" to "hard" or "soft", or to "keep" if these rows should stay. If rows never stop matching "where", no action is needed.',
        ),
      ];

const misspeltFindings = ({ settings: { name, selection }, sourceColumns = [] }: TableFacts): Finding[] =>
  misspeltTransforms(selection, sourceColumns).map((each) =>
    warning('TRANSFORM_NAME', name, misspeltText(each), misspeltStep(each)),
  );

/** These return the time of the transaction, so the server considers them stable. */
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
      `${listed([...new Set(changing)], LISTED)} may return another value at each call, so "verify" reports false differences`,
      'Use expressions that depend only on the row. Declare such a function of your own as stable: ALTER FUNCTION ... STABLE',
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
          `the planner estimates a cost of ${formatCount(Math.round(cost.cost))} for the query of each sync${cost.readWhole.length === 0 ? '' : `, which reads all rows of ${listed(cost.readWhole, LISTED)}`}`,
          ...(cost.readWhole.length === 0
            ? []
            : [
                'If the table is large, create an index on the column of the replication key, or use a plain column of that table as the replication key.',
              ]),
        ),
      ];
