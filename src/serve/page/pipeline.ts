/** The screen of one pipeline. */
import { html } from 'hono/html';
import { formatCount, formatSeconds } from '../../format.ts';
import { shortCursor } from '../../report/cursor.ts';
import type { Actor } from '../access/roles.ts';
import type { PauseRow } from '../read/activity.ts';
import type { AuditRow } from '../read/audit.ts';
import type {
  PipelineDetails,
  ScheduleDetails,
  ServingRow,
  TableRow,
  TablesRequest,
} from '../read/pipeline.ts';
import { TABLE_STATES, type AttemptRow, type TableState } from '../read/rows.ts';
import type { RunRow } from '../read/run.ts';
import { TABLE_ORDERS, type TableOrder } from '../../sql/control/read/details.ts';
import { auditTable } from './audit.ts';
import { actionLinks, type ActionName } from './buttons.ts';
import { ago, dataTable, facts, NONE, quiet, section, until, type Content, type Html } from './html.ts';
import { pipelinePath, tableLink } from './links.ts';
import { pager, runningTable, stateCounts } from './overview.ts';
import { pauseBanner } from './pauses.ts';
import { runTable } from './runs.ts';
import { SHOWN_STATES, stateBadge } from './states.ts';
import { dueText, failureText, lagText, textBlock, waitingText } from './values.ts';

export const TABLES_ON_PAGE = 100;

export interface PipelineFacts {
  readonly actor: Actor;
  readonly pipeline: PipelineDetails;
  readonly states: Readonly<Partial<Record<TableState, number>>>;
  readonly tables: readonly TableRow[];
  readonly filter: Pick<TablesRequest, 'search' | 'state' | 'order'>;
  readonly page: number;
  readonly schedules: readonly ScheduleDetails[];
  readonly workers: readonly ServingRow[];
  readonly running: readonly AttemptRow[];
  readonly runs: readonly RunRow[];
  readonly audit: readonly AuditRow[];
  readonly pauses: readonly PauseRow[];
}

export function pipelineContent(seen: PipelineFacts): readonly Html[] {
  const { actor, pipeline, runs, running, audit, pauses, states } = seen;
  const { pipeline: name, now, problem } = pipeline;
  const paused = pauses.filter(({ table }) => table === null);
  return [
    html`<div class="head">
        <h1>${name}</h1>
        ${actionLinks(actor, actionsOf(pipeline, paused.length > 0), { pipeline: name })}
      </div>
      ${paused.map((pause) => pauseBanner(pause, actor, now))}
      ${problem ? html`<div class="alarm failed">${failureText(problem)}</div>` : ''} ${warnings(seen)}
      ${stateCounts(states)} ${about(seen)}`,
    section('tables', 'Tables', tableList(seen)),
    ...(running.length > 0 ? [section('running', 'Running', runningTable(running, now))] : []),
    section('runs', 'Runs', runTable(runs, now)),
    ...(pipeline.definition
      ? [section('definition', 'Definition', definition(pipeline.definition, name))]
      : []),
    section('settings', 'Settings in effect', settings(pipeline)),
    section('audit', 'Changes by people', auditTable(audit, now)),
  ];
}

/** A directory is removed where it is. */
const actionsOf = (
  { definition: own, removedAt, problem }: PipelineDetails,
  isPaused: boolean,
): readonly ActionName[] => [
  // A worker without a correct copy of its configuration cannot begin a run.
  ...(isPaused || problem || removedAt ? [] : (['sync', 'verify'] as const)),
  ...(isPaused || removedAt ? [] : (['pause'] as const)),
  ...(own && !removedAt ? (['delete'] as const) : []),
];

/** A worker that lacks connections leaves the jobs to others, so it is trouble only if no worker has them. */
function warnings({ workers, pipeline }: PipelineFacts): Content {
  if (pipeline.removedAt)
    return html`<p class="alarm">
      ${pipeline.definition ? 'This pipeline was deleted.' : 'The directory of this pipeline is gone.'} Its
      history stays for 30 days.
    </p>`;
  if (workers.some(({ serves }) => serves) || pipeline.problem) return '';
  return html`<div class="alarm failed">
    <p>No worker has the connections of this pipeline.</p>
    ${workers.flatMap(({ host, process, lacks }) =>
      lacks === null ? [] : [textBlock(`${host}:${process}: ${lacks}`)],
    )}
  </div>`;
}

function about({ pipeline: { described, jobs, now }, schedules, workers, pauses }: PipelineFacts): Html {
  const isPaused = pauses.some(({ table }) => table === null);
  const [main] = schedules.filter(({ entry }) => entry === '');
  const others = schedules.filter(({ entry }) => entry !== '');
  return facts([
    ['Source', described?.source ?? NONE],
    [
      described && described.destinations.length > 1 ? 'Destinations' : 'Destination',
      described?.destinations.join(', ') ?? NONE,
    ],
    ['Schedule', main ? dueText(main, { isPaused, now }) : 'none'],
    ...others.map((each) => [`Schedule of ${each.entry}`, dueText(each, { isPaused, now })] as const),
    ['Tables at the same time', formatCount(jobs)],
    ['Workers', formatCount(workers.filter(({ serves }) => serves).length)],
  ]);
}

const ORDER_WORDS: Readonly<Record<TableOrder, string>> = {
  ...{ trouble: 'trouble first', name: 'name', lag: 'lag', duration: 'duration', rows: 'rows in 24 h' },
};

function tableList({ pipeline: { pipeline, now }, tables, filter, page }: PipelineFacts): Content {
  const { search, state, order } = filter;
  return html`<form class="filter" method="get" action="${pipelinePath(pipeline)}">
      <label>Name contains <input id="search" name="search" value="${search}" /></label>
      <label
        >State
        <select id="state" name="state">
          ${choice('', 'all', state)}${TABLE_STATES.map((each) => choice(each, SHOWN_STATES[each].word, state))}
        </select></label
      >
      <label
        >Order
        <select id="order" name="order">
          ${TABLE_ORDERS.map((each) => choice(each, ORDER_WORDS[each], order))}
        </select></label
      >
      <button>Show</button>
    </form>
    ${dataTable({
      caption: 'Tables of the pipeline',
      columns: [
        { title: 'State' },
        { title: 'Table' },
        { title: 'Lag' },
        { title: 'Last success' },
        { title: 'Rows waiting', isRight: true },
        { title: 'Rows in 24 h', isRight: true },
        { title: 'Duration p50', isRight: true },
        { title: 'p95', isRight: true },
        { title: 'Next run' },
        { title: 'Cursor' },
      ],
      rows: tables.map((row) => tableCells(row, now)),
      empty: search === '' && state === '' ? 'No worker has listed the tables yet.' : 'No table fits.',
    })}
    ${pager({
      ...{ page, found: tables[0]?.found ?? 0, size: TABLES_ON_PAGE, address: pipelinePath(pipeline) },
      parameters: { search, state, order },
    })}`;
}

const choice = (value: string, text: string, chosen: string): Html =>
  html`<option value="${value}" ${value === chosen ? 'selected' : ''}>${text}</option>`;

function tableCells(row: TableRow, now: Date): readonly Content[] {
  const {
    pipeline,
    table,
    state,
    lag,
    lagLimit,
    lastSuccessAt,
    runningSince,
    outcome,
    p50,
    p95,
    rows,
    nextDue,
    rowsWaiting,
  } = row;
  const cursor = outcome?.find((each) => typeof each.cursor === 'string')?.cursor;
  return [
    html`${stateBadge(state)}${runningSince && state !== 'running' ? html` ${quiet('running')}` : ''}`,
    tableLink(pipeline, table),
    lagText(lag, lagLimit),
    ago(lastSuccessAt, now),
    state === 'disabled' ? NONE : waitingText(rowsWaiting, now),
    rows === null ? NONE : formatCount(rows),
    p50 === null ? NONE : formatSeconds(p50),
    p95 === null ? NONE : formatSeconds(p95),
    state === 'paused' || state === 'disabled' ? NONE : until(nextDue, now),
    cursor ? html`<span class="mono">${shortCursor(cursor)}</span>` : NONE,
  ];
}

/** A longer text would make each refresh of the screen slow. */
const LONGEST_SHOWN = 64_000;

function definition(
  { version, source, destinations, config, ...schemas }: NonNullable<PipelineDetails['definition']>,
  name: string,
): Content {
  const text = JSON.stringify(config, null, 2);
  return [
    facts([
      ['Source connection', source],
      [
        destinations.length > 1 ? 'Destination connections' : 'Destination connection',
        destinations.join(', '),
      ],
      ['Source schema', schemas.source_schema ?? 'public'],
      ['Destination schema', schemas.dest_schema ?? 'as at the source'],
      ['Version', formatCount(version)],
    ]),
    text.length > LONGEST_SHOWN
      ? html`<p>
          The configuration is long.
          <a href="/api/v1/pipelines/${encodeURIComponent(name)}">The API shows it.</a>
        </p>`
      : html`<details>
          <summary>Show the configuration</summary>
          <pre class="mono">${text}</pre>
        </details>`,
  ];
}

const settings = ({ described }: PipelineDetails): Content =>
  html`<details>
    <summary>Show ${formatCount(described?.settings.length ?? 0)} settings that are set</summary>
    ${dataTable({
      caption: 'Settings in effect',
      columns: [{ title: 'Setting' }, { title: 'Value' }, { title: 'From' }],
      rows: (described?.settings ?? []).map(({ name, value, from }) => [
        html`<code>${name}</code>`,
        html`<span class="mono">${value}</span>`,
        from,
      ]),
      empty: 'No worker has read the settings yet.',
    })}
  </details>`;
