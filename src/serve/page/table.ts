/** The screen of one table. */
import { html } from 'hono/html';
import { formatBytes, formatCount, formatCounted, formatSeconds } from '../../format.ts';
import { formatAge } from '../../report/age.ts';
import type { Actor } from '../access/roles.ts';
import type { PauseRow } from '../read/activity.ts';
import type { PipelineDetails, ScheduleDetails } from '../read/pipeline.ts';
import type { AttemptRow } from '../read/rows.ts';
import type { LagRow, TableDetails } from '../read/table.ts';
import { actionLinks, type ActionName } from './buttons.ts';
import { barChart } from './charts.ts';
import {
  ago,
  secondsBetween,
  dataTable,
  facts,
  NONE,
  quiet,
  section,
  type Content,
  type Html,
} from './html.ts';
import { runningTable } from './overview.ts';
import { pauseBanner } from './pauses.ts';
import { lagPoints } from './series.ts';
import { SHOWN_STATES, stateBadge, wordBadge } from './states.ts';
import {
  dueText,
  failureOf,
  failureText,
  lagText,
  ownOutcomes,
  rowsText,
  secondsOf,
  waitingText,
  sumsOf,
  workerText,
} from './values.ts';

export interface TableScreen {
  readonly actor: Actor;
  readonly table: TableDetails;
  readonly schedules: readonly ScheduleDetails[];
  readonly lags: readonly LagRow[];
  /** Newest first. */
  readonly attempts: readonly AttemptRow[];
  readonly pauses: readonly PauseRow[];
  /** Of the configuration of its pipeline. */
  readonly problem: PipelineDetails['problem'];
}

export function tableContent(seen: TableScreen): readonly Html[] {
  const { actor, table, attempts, problem } = seen;
  const { pipeline, table: name, now } = table;
  const own = pausesOf(seen);
  const running = attempts.filter((attempt) => attempt.state === 'running');
  return [
    html`<div class="head">
        <h1>${name}</h1>
        ${actionLinks(actor, actionsOf(own.length > 0, problem !== null), { pipeline, table: name })}
      </div>
      ${problem ? html`<div class="alarm failed">${failureText(problem)}</div>` : ''}
      ${own.map((pause) => pauseBanner(pause, actor, now))} ${reason(table)} ${about(seen)}`,
    ...(running.length > 0 ? [section('running', 'Running', runningTable(running, now))] : []),
    section('lag', 'Lag in 24 hours', lagChart(seen)),
    section('rows', 'Rows of each sync', rowChart(attempts)),
    section('syncs', 'Syncs with changes or errors', attemptTable(attempts, now)),
  ];
}

/** A worker without a correct copy of its configuration cannot begin a run. */
function actionsOf(isPaused: boolean, isNotValid: boolean): readonly ActionName[] {
  if (isNotValid) return isPaused ? [] : ['pause'];
  return isPaused ? ['verify', 'reset'] : ['sync', 'verify', 'full-refresh', 'reset', 'pause'];
}

/** Of the table, its pipeline and everything. */
const pausesOf = ({ table, pauses }: TableScreen): readonly PauseRow[] =>
  pauses.filter((pause) => pause.table === null || pause.table === table.table);

function reason({ state, since, outcome, now, runningSince }: TableDetails): Html {
  const failure = state === 'failing' || state === 'schema_change' ? failureOf(outcome) : undefined;
  return html`<p>
      ${stateBadge(state)}
      ${since ? `for ${formatAge(secondsBetween(since, now))}` : ''}${
        runningSince && state !== 'running' ? html`, ${quiet('running')}` : ''
      }.
      ${failure ? '' : SHOWN_STATES[state].meaning}
    </p>
    ${failure ? html`<div class="alarm failed">${failureText(failure)}</div>` : ''}`;
}

function about(seen: TableScreen): Html {
  const { table, schedules } = seen;
  const {
    lag,
    lagLimit,
    lastSuccessAt,
    lastAttemptAt,
    now,
    settings,
    entry,
    outcome,
    behindAfter,
    staleAfter,
  } = table;
  const schedule = schedules.find((each) => each.entry === entry);
  const cursors = (outcome ?? []).flatMap(({ cursor, destination }) =>
    cursor
      ? [html`<span class="mono">${destination === undefined ? '' : `${destination}: `}${cursor}</span> `]
      : [],
  );
  const limits = [
    ...(behindAfter === null ? [] : [`behind after ${formatAge(behindAfter)}`]),
    ...(staleAfter === null ? [] : [`stale after ${formatAge(staleAfter)}`]),
  ];
  return facts([
    ['Lag', lagText(lag, lagLimit)],
    ['Limits', limits.join(', ') || 'none'],
    ['Rows waiting', table.state === 'disabled' ? NONE : waitingText(table.rowsWaiting, now)],
    ['Last success', ago(lastSuccessAt, now)],
    ['Last attempt', ago(lastAttemptAt, now)],
    ['Schedule', schedule ? dueText(schedule, { isPaused: pausesOf(seen).length > 0, now }) : 'none'],
    ['Mode', settings.mode ?? NONE],
    ['Replication key', settings.replication_key ?? NONE],
    ['Unique key', settings.unique_cols?.join(', ') ?? NONE],
    ['Deletes', settings.deletes ?? NONE],
    ['Source table', settings.source_table ?? NONE],
    ['Destination table', settings.destination_table ?? NONE],
    ['Cursor', cursors.length === 0 ? NONE : cursors],
  ]);
}

function lagChart({ table, lags }: TableScreen): Html {
  const { lastSuccessAt, now, behindAfter, staleAfter } = table;
  return barChart({
    title: 'Longest lag in each half hour',
    series: [{ name: 'Lag', tone: 'lag' }],
    bars: lagPoints(lags, lastSuccessAt, now).map(({ at, value }) => ({ at, values: [value ?? 0] })),
    limits: [
      ...(behindAfter === null ? [] : [{ name: 'behind after', value: behindAfter, tone: 'warn' }]),
      ...(staleAfter === null ? [] : [{ name: 'stale after', value: staleAfter, tone: 'bad' }]),
    ],
    format: formatAge,
  });
}

function rowChart(attempts: readonly AttemptRow[]): Html {
  const ended = attempts.filter(({ outcome }) => outcome !== null).toReversed();
  return barChart({
    title: 'Rows of each sync',
    series: [
      { name: 'inserted', tone: 'insert' },
      { name: 'updated', tone: 'update' },
      { name: 'deleted', tone: 'delete' },
    ],
    bars: ended.map((attempt) => {
      const { inserted, updated, deleted } = sumsOf(ownOutcomes(attempt));
      return { at: attempt.startedAt, values: [inserted, updated, deleted] };
    }),
    format: formatCount,
  });
}

const attemptTable = (attempts: readonly AttemptRow[], now: Date): Html =>
  dataTable({
    caption: 'Syncs, newest first',
    columns: [
      { title: 'State' },
      { title: 'Began' },
      { title: 'Action' },
      { title: 'Rows' },
      { title: 'Bytes', isRight: true },
      { title: 'Time', isRight: true },
      { title: 'Worker' },
    ],
    rows: attempts.map((attempt) => [
      attemptBadge(attempt),
      ago(attempt.startedAt, now),
      actionText(attempt),
      resultText(attempt),
      formatBytes(sumsOf(ownOutcomes(attempt)).bytes),
      formatSeconds(secondsOf(attempt, now)),
      workerText(attempt),
    ]),
    empty: 'No worker has synced the table yet.',
  });

/** An attempt that ended may have failed. */
function attemptBadge({ state, outcome, table }: AttemptRow): Html {
  if (state !== 'done' || !outcome) return wordBadge(state);
  const own = outcome.tables.filter(({ name }) => name === table);
  const isFailed = outcome.error || own.some(({ status }) => status === 'failed');
  return wordBadge(isFailed ? 'failed' : 'ok');
}

export function actionText(attempt: AttemptRow): Content {
  const [first] = ownOutcomes(attempt);
  const action = first?.action ?? attempt.progress.action;
  const nth = attempt.jobAttempt === 0 ? '' : html` ${quiet(`attempt ${attempt.jobAttempt + 1}`)}`;
  return html`${action ?? NONE}${nth}`;
}

/** Rows, or why there are none. */
export function resultText(attempt: AttemptRow): Content {
  const own = ownOutcomes(attempt);
  const failure = attempt.outcome?.error ?? failureOf(own);
  if (failure) return failureText(failure);
  if (attempt.state === 'running') return phaseCount(attempt);
  return rowsText(sumsOf(own));
}

const phaseCount = ({ phase, progress: { chunks } }: AttemptRow): string =>
  chunks ? `${chunks.done} of ${formatCounted(chunks.of, 'chunk')}` : (phase ?? NONE);
