/** The screen of one run. */
import { html } from 'hono/html';
import { formatCount, formatSeconds } from '../../format.ts';
import { hasRole, type Actor } from '../access/roles.ts';
import type { Blocker } from '../read/pipeline-trouble.ts';
import type { AttemptRow } from '../read/rows.ts';
import { LOG_LEVELS, type LogRow } from '../read/logs.ts';
import type { RunDetails } from '../read/run.ts';
import {
  ago,
  dataTable,
  facts,
  NONE,
  secondsBetween,
  section,
  utc,
  type Content,
  type Html,
} from './html.ts';
import { pipelineLink, runPath, tableLink, withQuery } from './links.ts';
import { kindText, triggerText } from './runs.ts';
import { wordBadge } from './states.ts';
import { actionText, resultText } from './table.ts';
import { failureText, phaseText, secondsOf, speedOf, workerText } from './values.ts';
import { formatBytes, formatTimeLeft } from '../../format.ts';

export interface ShownLog {
  /** The lowest level. */
  readonly level: LogRow['level'];
  readonly lines: readonly LogRow[];
}

export function runContent(run: RunDetails, actor: Actor, log: ShownLog): readonly Html[] {
  const { now, state, pipeline, error, finishedAt, blockedBy } = run;
  const mayCancel = hasRole(actor, 'operate') && finishedAt === null;
  return [
    html`<div class="head">
        <h1>Run of ${pipeline}, ${utc(run.requestedAt)}</h1>
        ${
          mayCancel
            ? html`<div class="actions">
                <a class="button" href="${runPath(run.id)}/do/cancel">Cancel</a>
              </div>`
            : ''
        }
      </div>
      <p>${wordBadge(state)}</p>
      ${blockedBy ? blockedText(blockedBy) : ''}
      ${error ? html`<div class="alarm failed">${failureText(error)}</div>` : ''} ${about(run)}`,
    ...(run.kind === 'sync'
      ? [section('tables', 'Tables with work', workTable(run, now))]
      : [commandResult(run)]),
    section('log', 'Log', logTable(run, log)),
  ];
}

function blockedText(blocker: Blocker): Html {
  const since = blocker.since ? html` since ${utc(blocker.since)}` : '';
  const text = html`This run waits. No worker can serve its pipeline${since}.`;
  return html`<div class="alarm failed">
    <p>${text}</p>
    ${failureText(blocker)}
  </div>`;
}

function about(run: RunDetails): Html {
  const { now, pipeline, look, requestedAt, startedAt, finishedAt, quiet, tables, dueAt } = run;
  return facts([
    ['Pipeline', isPreview(run) ? pipeline : pipelineLink(pipeline)],
    ...(isPreview(run) ? [['Needs the connections', connectionsText(run)] as const] : []),
    ['Kind', kindText(run)],
    ['Trigger', triggerText(run)],
    ...(tables ? [['Asked for', tables.join(', ')] as const] : []),
    ...(dueAt ? [['Due', utc(dueAt)] as const] : []),
    ['Requested', ago(requestedAt, now)],
    ['Began', ago(startedAt, now)],
    ['Time', startedAt ? formatSeconds(secondsBetween(startedAt, finishedAt ?? now)) : NONE],
    ['Worker', look ? workerText(look) : NONE],
    ['Tables without changes', formatCount(quiet)],
  ]);
}

/** A preview is about a pipeline that may not exist. */
export const isPreview = ({ options }: Pick<RunDetails, 'options'>): boolean => options['preview'] === true;

const connectionsText = ({ options: { connections } }: RunDetails): string =>
  Array.isArray(connections) ? connections.join(', ') : '';

/** Of `verify` and other commands: what they print with --json. */
const commandResult = ({ result, kind }: RunDetails): Html =>
  section(
    'result',
    `Result of ${kind}`,
    result
      ? html`<pre class="mono">${JSON.stringify(result, null, 2)}</pre>`
      : html`<p class="empty">There is no result yet.</p>`,
  );

const workTable = ({ work, pipeline }: RunDetails, now: Date): Html =>
  dataTable({
    caption: 'Tables with work',
    columns: [
      { title: 'State' },
      { title: 'Table' },
      { title: 'Action' },
      { title: 'Result' },
      { title: 'Phases' },
      { title: 'Bytes' },
      { title: 'Time', isRight: true },
      { title: 'Worker' },
    ],
    rows: work.map(({ table, state, by }): readonly Content[] => [
      wordBadge(state),
      tableLink(pipeline, table),
      ...(by ? attemptCells(by, now) : [NONE, NONE, NONE, NONE, NONE, NONE]),
    ]),
    empty: 'No table of this run has changes.',
  });

/** Newest first, with links to the levels. */
function logTable({ id, pipeline, now }: RunDetails, { level, lines }: ShownLog): Content {
  const links = LOG_LEVELS.map((each) =>
    each === level
      ? html`<strong>${each}</strong>`
      : html`<a href="${withQuery(runPath(id), { level: each })}">${each}</a>`,
  );
  return html`<p class="counts">From level: ${links}</p>
    ${dataTable({
      caption: 'Log, newest first',
      columns: [{ title: 'When' }, { title: 'Level' }, { title: 'Table' }, { title: 'Message' }],
      rows: lines.map(({ at, level: own, table, message }) => [
        ...[ago(at, now), own, table === null ? NONE : tableLink(pipeline, table), message],
      ]),
      empty: 'There are no lines of this level.',
    })}`;
}

function attemptCells(attempt: AttemptRow, now: Date): readonly Content[] {
  const isRunning = attempt.state === 'running';
  return [
    actionText(attempt),
    isRunning ? phaseText(attempt) : resultText(attempt),
    phaseBars(attempt),
    bytesText(attempt),
    formatSeconds(secondsOf(attempt, now)),
    workerText(attempt),
  ];
}

function bytesText({ progress, state }: AttemptRow): string {
  const { perSecond, secondsLeft } = state === 'running' ? speedOf(progress) : {};
  return [
    progress.bytes === 0 ? NONE : formatBytes(progress.bytes),
    ...(perSecond === undefined ? [] : [`${formatBytes(perSecond)}/s`]),
    ...(secondsLeft === undefined ? [] : [`${formatTimeLeft(secondsLeft)} left`]),
  ].join(', ');
}

/** How long each phase took, as bars one after the other. The numbers are below. */
function phaseBars({ progress: { phases, seconds } }: AttemptRow): Content {
  if (phases.length === 0 || seconds === 0) return NONE;
  // Before the first phase, the worker connects.
  const all = [{ phase: 'connect', at: 0, destination: undefined }, ...phases];
  const spans = all.map(({ phase, at, destination }, place) => ({
    name: destination === undefined ? phase : `${destination}: ${phase}`,
    at,
    seconds: Math.max(0, (all[place + 1]?.at ?? seconds) - at),
  }));
  const scaled = (value: number) => ((value / seconds) * 1000).toFixed(1);
  const text = spans.map((span) => `${span.name} ${formatSeconds(span.seconds)}`);
  return html`<svg
      class="phases"
      viewBox="0 0 1000 12"
      preserveAspectRatio="none"
      role="img"
      aria-label="Phases"
    >
      ${spans.map(
        ({ at, seconds: length, name }) =>
          html`<rect x="${scaled(at)}" width="${scaled(Math.max(length, seconds / 500))}" height="12">
            <title>${name} ${formatSeconds(length)}</title>
          </rect>`,
      )}
    </svg>
    <details>
      <summary>${spans.length} phases</summary>
      ${text.map((each) => html`<div>${each}</div>`)}
    </details>`;
}
