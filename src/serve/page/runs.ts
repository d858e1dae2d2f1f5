/** Runs in a list. Pure. */
import { html } from 'hono/html';
import { formatCount, formatCounted, formatSeconds } from '../../format.ts';
import type { RunRow } from '../read/run.ts';
import { ago, dataTable, secondsBetween, type Content, type Html } from './html.ts';
import { runPath } from './links.ts';
import { wordBadge } from './states.ts';
import { textBlock } from './values.ts';

export const runTable = (runs: readonly RunRow[], now: Date): Html =>
  dataTable({
    caption: 'Runs, newest first',
    columns: [
      { title: 'State' },
      { title: 'Kind' },
      { title: 'Requested' },
      { title: 'By' },
      { title: 'Tables' },
      { title: 'Time', isRight: true },
    ],
    rows: runs.map((run) => [
      html`<a href="${runPath(run.id)}">${wordBadge(run.state)}</a>`,
      kindText(run),
      ago(run.requestedAt, now),
      triggerText(run),
      countsText(run),
      run.startedAt ? formatSeconds(secondsBetween(run.startedAt, run.finishedAt ?? now)) : '',
    ]),
    empty: 'There are no runs yet.',
  });

/** `sync`, or `sync, full refresh`. */
export const kindText = ({ kind, options }: Pick<RunRow, 'kind' | 'options'>): string =>
  [
    kind,
    ...(options['full_refresh'] === true ? ['full refresh'] : []),
    ...(options['preview'] === true ? ['preview'] : []),
  ].join(', ');

/** Who or what asked for the run. */
export function triggerText({
  origin,
  entry,
  by,
  missed,
}: Pick<RunRow, 'origin' | 'entry' | 'by' | 'missed'>): string {
  if (origin !== 'schedule') return by;
  const own = entry === null || entry === '' ? 'schedule' : `schedule of ${entry}`;
  return missed === 0 ? own : `${own}, also for ${formatCounted(missed, 'missed run')}`;
}

function countsText({ ok, failed, waiting, running, quiet, error }: RunRow): Content {
  const parts = [
    { count: failed, word: 'failed' },
    { count: running, word: 'running' },
    { count: waiting, word: 'queued' },
    { count: ok, word: 'synced' },
    { count: quiet, word: 'without changes' },
  ].filter(({ count }) => count > 0);
  if (error) return html`<div class="cause">${textBlock(error.message)}</div>`;
  return parts.map(({ count, word }) => `${formatCount(count)} ${word}`).join(', ');
}
