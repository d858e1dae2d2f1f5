/** The warnings of a run whose ordinary results nobody sees. */
import type { Listener, RunEvent, RunSummary, TableOutcome, WarningEvent } from '../events.ts';
import { formatCount, labelOf, outcomeWord } from '../format.ts';
import { ONLY_AT_DESTINATION, type Difference, type Reason } from '../reasons.ts';
import { reasonText, withoutKept } from './reasons.ts';
import { differencesText } from './shape-texts.ts';
import { tableCommand } from '../shell-word.ts';
import type { CurrentWarning } from '../schema/standing-warnings.ts';

/** Instead of the error, whose process and time differ from run to run. */
const HELD = 'another run holds the table';

const isHeld = (table: TableOutcome): boolean => outcomeWord(table) === 'busy';

/**
 * A cron job prints nothing else about a load that no command requested. A reset is a request, and changed columns are an
 * ordinary load.
 */
const UNREQUESTED: Partial<Record<Reason['code'], string>> = {
  'destination-emptied': 'no command requested this load, and the table was empty until its end',
  'destination-dropped': 'the destination table was missing, so increp loaded it again',
};

const LOST_OBJECTS =
  'If you made grants, indexes or views on the former table or its schema, create them again';

/** The former table lacks the rows that the load has read. */
const formerTable = (name: string, former: string, back: readonly string[] | undefined): string =>
  back === undefined
    ? `. ${former}, views on it stay with it`
    : `. ${former}, views on it stay with it. To use that table again, run at the destination: ${back.join('; ')}. Then fetch the rows that it lacks: "${tableCommand('verify', name, '--repair')}"`;

const unrequestedLoad = ({ name, status, reasons, rowsDeleted, cursorBefore }: TableOutcome): string[] => {
  if (status !== 'ok' || reasons.some(({ code }) => code === 'full-refresh-requested')) return [];
  return reasons.flatMap((reason) => {
    if (reason.code === 'destination-dropped' && reason.renamedTo !== undefined)
      return `${UNREQUESTED[reason.code]}${formerTable(name, reason.isRenamed ? `The former table is ${reason.renamedTo} now` : `If ${reason.renamedTo} is the former table`, reason.back)}`;
    if (reason.code === 'destination-replaced')
      return `another table has the name of the destination table since the last sync, so every row was compared. To find rows that only the destination has, run "${tableCommand('verify', name)}"`;
    if (reason.code === 'destination-emptied')
      return `${UNREQUESTED[reason.code]}${withoutKept(reason.keptRows, 'destination')}`;
    if (reason.code === 'destination-without-state' || ('keptRows' in reason && reason.keptRows))
      return `no command requested this load: ${reasonText([reason])}. ${LOST_OBJECTS}`;
    if (reason.code === 'destination-dropped') return `${UNREQUESTED[reason.code]}. ${LOST_OBJECTS}`;
    if (reason.code !== 'drift') return [];
    const cause = causeOf(reason.differences);
    if (cause === undefined) return [];
    const renamed = renamedIn(reason.differences).length > 0 ? `. ${BESIDE}` : '';
    // A table without a cursor, in mode full-refresh, is loaded at each sync anyway.
    if (cursorBefore === null) return renamed === '' ? [] : `${cause}${renamed}`;
    const removed = rowsDeleted > 0 ? ` (rows removed: ${formatCount(rowsDeleted)})` : '';
    return `no command requested this load: ${cause}${removed}${renamed}`;
  });
};

const BESIDE = 'The load added the column again, and a renamed column stays beside it with its values';

const renamedIn = (differences: readonly Difference[]) => differences.filter((each) => 'renamedTo' in each);

/** Undefined if only columns of the source or settings have changed. */
function causeOf(differences: readonly Difference[]): string | undefined {
  const recreation = differences.find((each) => each.code === 'source-recreated');
  if (recreation)
    return recreation.movedTo === undefined
      ? 'the source table was dropped and created again'
      : `another table has its name at the source now, and the former one is ${recreation.movedTo}`;
  if (!differences.every(({ code }) => ONLY_AT_DESTINATION.includes(code))) return undefined;
  const renamed = renamedIn(differences);
  return renamed.length === 0 ? 'the destination table was altered' : differencesText(renamed);
}

function eventIn(
  { eventWarnings: { single = [], repeated = [] } = {} }: TableOutcome,
  text: string,
): WarningEvent | undefined {
  if (single.includes(text)) return 'single';
  return repeated.includes(text) ? 'repeated' : undefined;
}

/** The warnings of a run and of its tables. A table that another run holds is one, because a first load can take hours. */
export const warningsIn = ({ tables, warnings }: RunSummary): readonly CurrentWarning[] => [
  ...warnings.map((text) => ({ table: null, text })),
  ...tables.flatMap((table) =>
    [...table.warnings, ...(isHeld(table) ? [HELD] : [])].map((text) => ({
      ...{ table: labelOf(table), text, event: eventIn(table, text) },
    })),
  ),
];

/** For a run whose ordinary results nobody sees. */
export const withUnrequestedLoads = (summary: RunSummary): RunSummary => ({
  ...summary,
  tables: summary.tables.map(withUnrequestedLoad),
});

function withUnrequestedLoad(table: TableOutcome): TableOutcome {
  const loads = unrequestedLoad(table);
  const { single = [], repeated } = table.eventWarnings ?? {};
  return {
    ...table,
    warnings: [...table.warnings, ...loads],
    eventWarnings: { single: [...single, ...loads], repeated },
  };
}

function withUnrequestedLoadsIn(event: RunEvent): RunEvent {
  if (event.type === 'table-finished') return { ...event, outcome: withUnrequestedLoad(event.outcome) };
  return event.type === 'run-finished' ? { ...event, summary: withUnrequestedLoads(event.summary) } : event;
}

/** For a listener whose reader does not see the reasons of a load: the webhook, the histories and JSON. */
export const hearsUnrequestedLoads =
  (listener: Listener): Listener =>
  (event) =>
    listener(withUnrequestedLoadsIn(event));

/** Whether a warning of a table, or of the run itself, is among these. */
export const isAmong =
  (due: readonly CurrentWarning[]) =>
  (label: string | null, text: string): boolean =>
    due.some((warning) => warning.table === label && warning.text === text);

/** The same run with these warnings alone. */
export function withWarnings(summary: RunSummary, due: readonly CurrentWarning[]): RunSummary {
  const isDue = isAmong(due);
  const tables = summary.tables
    .filter((table) => !isHeld(table) || isDue(labelOf(table), HELD))
    .map((table) => {
      const warnings = table.warnings.filter((text) => isDue(labelOf(table), text));
      return {
        ...table,
        warnings,
        ...(warnings.length < table.warnings.length && { hasKnownWarnings: true as const }),
      };
    });
  const isSilent =
    tables.length < summary.tables.length &&
    !tables.some(({ status }) => status === 'failed') &&
    (summary.error ?? { code: 'RUN_LOCKED' }).code === 'RUN_LOCKED';
  return {
    ...summary,
    ...(isSilent && { status: 'ok', error: undefined }),
    warnings: summary.warnings.filter((text) => isDue(null, text)),
    tables,
  };
}
