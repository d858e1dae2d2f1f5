/** The first screen: trouble first, then what runs, then all pipelines. */
import { html } from 'hono/html';
import { formatBytes, formatCount, formatCounted } from '../../format.ts';
import { formatAge } from '../../report/age.ts';
import type { Actor } from '../access/roles.ts';
import type { PauseRow, QueueRow, WorkerRow } from '../read/activity.ts';
import type { AttentionRow, Overview, PeriodRow, PipelineRow } from '../read/overview.ts';
import { pipelineTroubles, type PipelineTrouble } from '../read/pipeline-trouble.ts';
import { TABLE_STATES, type AttemptRow, type TableState } from '../read/rows.ts';
import { actionLinks } from './buttons.ts';
import { barChart, sparkline } from './charts.ts';
import {
  ago,
  dataTable,
  facts,
  NONE,
  quiet,
  secondsBetween,
  section,
  until,
  type Content,
  type Html,
} from './html.ts';
import { pipelineLink, runPath, tableLink, withQuery } from './links.ts';
import { pauseBanner } from './pauses.ts';
import { periodsUntil, rowsOf, valuesIn } from './series.ts';
import { pausedBadge, problemBadge, SHOWN_STATES, stateBadge, wordBadge } from './states.ts';
import {
  failureOf,
  failureText,
  lagText,
  progressCells,
  scheduleText,
  waitingText,
  workerText,
} from './values.ts';

export const PIPELINES_ON_PAGE = 50;

export interface OverviewFacts {
  readonly actor: Actor;
  readonly overview: Overview;
  readonly periods: readonly PeriodRow[];
  readonly running: readonly AttemptRow[];
  readonly workers: readonly WorkerRow[];
  readonly queue: QueueRow;
  readonly pauses: readonly PauseRow[];
  readonly search: string;
  /** From 1. */
  readonly page: number;
}

export function overviewContent(seen: OverviewFacts): readonly Html[] {
  const { overview, running, workers } = seen;
  const { now } = overview;
  return [
    head(seen),
    section('attention', 'Needs attention', attention(seen)),
    section('running', 'Running', runningTable(running, now)),
    section('pipelines', 'Pipelines', pipelines(seen)),
    section('timeline', 'Last 6 hours', timeline(seen)),
    section('workers', 'Workers and queue', queueFacts(seen), workerTable(workers, now)),
  ];
}

/** `1 pipeline and 3 of 212 tables need attention`. */
export function attentionText({
  tables,
  tablesInTrouble,
  pipelinesInTrouble,
}: Pick<Overview, 'tables' | 'tablesInTrouble' | 'pipelinesInTrouble'>): string {
  const inTrouble = [
    ...(pipelinesInTrouble === 0 ? [] : [formatCounted(pipelinesInTrouble, 'pipeline')]),
    ...(tablesInTrouble === 0
      ? []
      : [`${formatCount(tablesInTrouble)} of ${formatCounted(tables, 'table')}`]),
  ];
  const verb = pipelinesInTrouble + tablesInTrouble === 1 ? 'needs' : 'need';
  if (inTrouble.length > 0) return `${inTrouble.join(' and ')} ${verb} attention`;
  return tables === 0 ? 'No tables yet' : `None of ${formatCounted(tables, 'table')} needs attention`;
}

function head({ actor, overview, periods, pauses }: OverviewFacts): Html {
  const everything = pauses.find(({ pipeline }) => pipeline === null);
  const sum = (of: (row: PeriodRow) => number) => periods.reduce((total, row) => total + of(row), 0);
  return html`<div class="head">
      <h1>${attentionText(overview)}</h1>
      ${everything ? '' : actionLinks(actor, ['pause'], { pipeline: null })}
    </div>
    ${everything ? pauseBanner(everything, actor, overview.now) : ''} ${stateCounts(overview.states)}
    ${facts([
      ['Rows in 24 h', formatCount(sum(rowsOf))],
      ['Inserted', formatCount(sum(({ inserted }) => inserted))],
      ['Updated', formatCount(sum(({ updated }) => updated))],
      ['Deleted', formatCount(sum(({ deleted }) => deleted))],
      ['Read', formatBytes(sum(({ bytes }) => bytes))],
      ['Tables synced', formatCount(sum(({ synced }) => synced))],
      ['Errors', formatCount(sum(({ failed }) => failed))],
      ['Conflicts', formatCount(sum(({ conflicts }) => conflicts))],
    ])}`;
}

/** Each state with its number of tables, trouble first. */
export const stateCounts = (states: Readonly<Partial<Record<TableState, number>>>): Html =>
  html`<div class="counts">
    ${TABLE_STATES.filter((state) => (states[state] ?? 0) > 0).map(
      (state) => html`<span>${formatCount(states[state] ?? 0)} ${stateBadge(state)}</span>`,
    )}
  </div>`;

function attention({ actor, overview }: OverviewFacts): Content {
  const { attention: tables, troubledPipelines, pipelinesInTrouble, tablesInTrouble, now } = overview;
  const rows = [
    ...troubledPipelines
      .flatMap(pipelineTroubles)
      .map((trouble) => [...troubleCells(trouble, now), actionLinks(actor, [], trouble)]),
    ...tables.map((row) => attentionCells(row, actor, now)),
  ];
  const more = tablesInTrouble - tables.length;
  const morePipelines = pipelinesInTrouble - troubledPipelines.length;
  return html`${dataTable({
    caption: 'Tables and pipelines that need attention',
    columns: [
      { title: 'State' },
      { title: 'Table' },
      { title: 'Since' },
      { title: 'Lag' },
      { title: 'Cause and fix' },
      { title: 'Actions', isTitleHidden: true },
    ],
    rows,
    empty: 'No table and no pipeline needs attention.',
  })}${more > 0 ? html`<p class="quiet">${formatCount(more)} more tables are on the pages of their pipelines.</p>` : ''}${morePipelines > 0 ? html`<p class="quiet">${formatCount(morePipelines)} more pipelines need attention.</p>` : ''}`;
}

const troubleCells = (
  { pipeline, state, problem, since }: PipelineTrouble,
  now: Date,
): readonly Content[] => [
  ...[problemBadge(state.replace('_', ' ')), pipelineLink(pipeline), since ? ago(since, now) : NONE, NONE],
  failureText(problem),
];

function attentionCells(row: AttentionRow, actor: Actor, now: Date): readonly Content[] {
  const { pipeline, table, state, since, lag, lagLimit, runningSince } = row;
  return [
    html`${stateBadge(state)}${runningSince ? html` ${quiet('running')}` : ''}`,
    html`${pipelineLink(pipeline)} <span aria-hidden="true">/</span> ${tableLink(pipeline, table)}`,
    ago(since, now),
    lagText(lag, lagLimit),
    adviceFor(row),
    actionLinks(actor, state === 'crashed' ? ['resume'] : ['sync', 'pause'], { pipeline, table }),
  ];
}

/** The error of the last sync, or what the state means. */
function adviceFor({ state, outcome, crashes }: AttentionRow): Content {
  const failure = state === 'stale' || state === 'behind' ? undefined : failureOf(outcome);
  if (failure) return failureText(failure);
  const crashed =
    crashes > 0 ? `Workers were lost at this table ${formatCounted(crashes, 'time')}.` : undefined;
  return html`<div class="cause"><p>${crashed ?? SHOWN_STATES[state].meaning}</p></div>`;
}

const RUNNING_COLUMNS = [
  { title: 'Table' },
  { title: 'Phase' },
  { title: 'Rows', isRight: true },
  { title: 'Bytes', isRight: true },
  { title: 'Speed', isRight: true },
  { title: 'Remaining', isRight: true },
  { title: 'Time', isRight: true },
  { title: 'Worker' },
] as const;

export const runningTable = (running: readonly AttemptRow[], now: Date): Html =>
  dataTable({
    caption: 'Tables that are being synced',
    columns: RUNNING_COLUMNS,
    rows: running.map((attempt) => [
      html`${pipelineLink(attempt.pipeline)} <span aria-hidden="true">/</span> ${tableLink(
          attempt.pipeline,
          attempt.table ?? '',
        )}`,
      ...progressCells(attempt, now),
      workerText(attempt),
    ]),
    empty: 'No table is being synced.',
  });

function pipelines({ actor, overview, search, page }: OverviewFacts): Content {
  const { pipelineRows, pipelines: total, pipelinesFound, now } = overview;
  const isMany = total > PIPELINES_ON_PAGE || search !== '';
  return html`${isMany ? searchForm(search) : ''}${dataTable({
    caption: 'Pipelines',
    columns: [
      { title: 'Pipeline' },
      { title: 'Tables' },
      { title: 'Worst lag' },
      { title: 'Rows waiting', isRight: true },
      { title: 'Rows in 24 h', isRight: true },
      { title: 'Last run' },
      { title: 'Next run' },
      { title: 'Actions', isTitleHidden: true },
    ],
    rows: pipelineRows.map((row) => pipelineCells(row, actor, now)),
    empty: search === '' ? 'There are no pipelines in the directory yet.' : 'No pipeline has this name.',
  })}${pager({ page, found: pipelinesFound, size: PIPELINES_ON_PAGE, address: '/', parameters: { search } })}`;
}

function pipelineCells(row: PipelineRow, actor: Actor, now: Date): readonly Content[] {
  const { pipeline, states, worst, rows, periods, last, nextDue, schedule, pausedSince, problem } = row;
  const quarters = valuesIn(periodsUntil(now, 15, 96), periods ?? [], (each) => each.rows);
  // One bar for each hour.
  const hours = Array.from({ length: 24 }, (_, hour) =>
    quarters.slice(hour * 4, hour * 4 + 4).reduce((sum, value) => sum + value, 0),
  );
  return [
    html`${pipelineLink(pipeline)}${pausedSince ? html` ${pausedBadge()}` : ''}`,
    stateCounts(states),
    worst ? html`${lagText(worst.lag, worst.limit)} ${tableLink(pipeline, worst.table)}` : NONE,
    waitingText(row.rowsWaiting, now),
    html`${sparkline(hours)} ${formatCount(rows ?? 0)}`,
    last
      ? html`<a href="${runPath(last.id)}">${wordBadge(last.state)}</a> ${ago(last.finishedAt, now)}`
      : NONE,
    schedule
      ? html`${pausedSince ? 'paused' : until(nextDue, now)} ${quiet(scheduleText(schedule))}`
      : quiet('no schedule'),
    // No worker can begin a run of a wrong configuration.
    actionLinks(actor, pausedSince ? ['resume'] : [...(problem ? [] : (['sync'] as const)), 'pause'], {
      pipeline,
    }),
  ];
}

const searchForm = (search: string): Html =>
  html`<form class="filter" method="get" action="/">
    <label>Name contains <input id="search" name="search" value="${search}" /></label>
    <button>Search</button>
  </form>`;

interface Pager {
  readonly page: number;
  readonly found: number;
  readonly size: number;
  readonly address: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export function pager({ page, found, size, address, parameters }: Pager): Content {
  if (found <= size) return '';
  const last = Math.ceil(found / size);
  const link = (to: number, text: string) =>
    to < 1 || to > last
      ? ''
      : html`<a href="${withQuery(address, { ...parameters, page: String(to) })}">${text}</a>`;
  return html`<p class="counts">
    <span>Page ${page} of ${last}</span> ${link(page - 1, 'Previous page')} ${link(page + 1, 'Next page')}
  </p>`;
}

function timeline({ overview: { now }, periods }: OverviewFacts): Html {
  const times = periodsUntil(now, 15, 24);
  const ok = valuesIn(times, periods, ({ synced }) => synced);
  const failed = valuesIn(times, periods, (row) => row.failed);
  return barChart({
    title: 'Tables synced in each quarter of an hour',
    series: [
      { name: 'synced', tone: 'good' },
      { name: 'failed', tone: 'bad' },
    ],
    bars: times.map((at, place) => ({ at, values: [ok[place] ?? 0, failed[place] ?? 0] })),
    format: formatCount,
  });
}

const queueFacts = ({ queue, workers }: OverviewFacts): Html => {
  const working = workers.filter(({ state }) => state === 'working');
  return facts([
    ['Jobs that wait', formatCount(queue.waiting)],
    ['Jobs of workers', formatCount(queue.active)],
    ['Oldest job that waits', queue.oldestSeconds === null ? NONE : formatAge(queue.oldestSeconds)],
    ['Workers', formatCount(working.length)],
    [
      'Capacity',
      formatCounted(
        working.reduce((sum, { capacity }) => sum + capacity, 0),
        'table',
      ),
    ],
  ]);
};

const workerTable = (workers: readonly WorkerRow[], now: Date): Html =>
  dataTable({
    caption: 'Workers',
    columns: [
      { title: 'State' },
      { title: 'Worker' },
      { title: 'Running', isRight: true },
      { title: 'Capacity', isRight: true },
      { title: 'Pipelines', isRight: true },
      { title: 'Lacks' },
      { title: 'Last sign of life' },
      { title: 'Version' },
    ],
    // Stopped workers are history.
    rows: workers
      .filter(({ state, seenAt }) => state !== 'stopped' && secondsBetween(seenAt, now) < 3600)
      .map(({ state, host, process, running, capacity, serves, lacks, seenAt, version }) => [
        ...[wordBadge(state), `${host}:${process}`, formatCount(running), formatCount(capacity)],
        ...[formatCount(serves.length), Object.keys(lacks).join(', ') || NONE, ago(seenAt, now), version],
      ]),
    empty: 'No worker is alive. Start one: increp work --pipelines DIRECTORY',
  });
