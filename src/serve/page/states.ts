/** How the page shows states: a glyph, a word and a colour, so that none of them is needed alone. Pure. */
import { html } from 'hono/html';
import type { TableState } from '../read/rows.ts';
import type { Html } from './html.ts';

type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'calm';

interface ShownState {
  readonly glyph: string;
  readonly word: string;
  readonly tone: Tone;
  readonly meaning: string;
}

export const SHOWN_STATES: Readonly<Record<TableState, ShownState>> = {
  ok: { glyph: '✓', word: 'ok', tone: 'good', meaning: 'The last sync succeeded within the limit.' },
  behind: {
    ...{ glyph: '◔', word: 'behind', tone: 'warn' },
    meaning: 'The last success is older than the first limit.',
  },
  stale: { glyph: '◕', word: 'stale', tone: 'bad', meaning: 'The last success is older than max_staleness.' },
  failing: { glyph: '✗', word: 'failing', tone: 'bad', meaning: 'The last sync failed. increp tries again.' },
  crashed: {
    ...{ glyph: '⊗', word: 'crashed', tone: 'bad' },
    meaning: 'Workers were lost at this table again and again. It is paused.',
  },
  schema_change: {
    ...{ glyph: '≠', word: 'schema change', tone: 'bad' },
    meaning: 'The source and the destination differ in shape, and the sync needs a decision.',
  },
  running: { glyph: '▸', word: 'running', tone: 'busy', meaning: 'A worker syncs the table.' },
  queued: { glyph: '◦', word: 'queued', tone: 'busy', meaning: 'The table waits for a worker.' },
  paused: {
    glyph: '‖',
    word: 'paused',
    tone: 'calm',
    meaning: 'No worker syncs the table until it is resumed.',
  },
  never_synced: {
    glyph: '○',
    word: 'never synced',
    tone: 'warn',
    meaning: 'No sync of the table has succeeded yet.',
  },
  disabled: { glyph: '−', word: 'disabled', tone: 'calm', meaning: 'The configuration turns the table off.' },
};

const badge = ({ glyph, word, tone, meaning }: ShownState): Html =>
  html`<span class="state ${tone}" title="${meaning}"
    ><span aria-hidden="true">${glyph}</span> ${word}</span
  >`;

export const stateBadge = (state: TableState): Html => badge(SHOWN_STATES[state]);

/** Of runs, tables in runs, attempts and workers. */
const OTHER_STATES: Readonly<Record<string, Omit<ShownState, 'word'>>> = {
  ok: { glyph: '✓', tone: 'good', meaning: 'It ended without an error.' },
  done: { glyph: '✓', tone: 'good', meaning: 'It ended.' },
  working: { glyph: '✓', tone: 'good', meaning: 'The worker takes jobs.' },
  partial: { glyph: '✗', tone: 'warn', meaning: 'Some tables failed.' },
  failed: { glyph: '✗', tone: 'bad', meaning: 'It failed.' },
  lost: { glyph: '⊗', tone: 'bad', meaning: 'The worker gives no sign of life.' },
  crashed: { glyph: '⊗', tone: 'bad', meaning: 'The worker was lost.' },
  superseded: {
    glyph: '⊗',
    tone: 'warn',
    meaning: 'Another worker had taken the table. The result does not count.',
  },
  returned: { glyph: '↩', tone: 'calm', meaning: 'The worker had to stop and gave the table back.' },
  deferred: { glyph: '◦', tone: 'calm', meaning: 'The time limit of the run ended before the table.' },
  cancelled: { glyph: '⊘', tone: 'calm', meaning: 'It was cancelled.' },
  queued: { glyph: '◦', tone: 'busy', meaning: 'It waits for a worker.' },
  looking: { glyph: '▸', tone: 'busy', meaning: 'A worker looks for tables with changes.' },
  running: { glyph: '▸', tone: 'busy', meaning: 'Workers sync its tables.' },
  stopping: { glyph: '‖', tone: 'calm', meaning: 'The worker takes no new jobs.' },
  stopped: { glyph: '−', tone: 'calm', meaning: 'The worker has stopped.' },
};

export function wordBadge(word: string): Html {
  const shown = OTHER_STATES[word] ?? ({ glyph: '·', tone: 'calm', meaning: '' } as const);
  return badge({ ...shown, word });
}

/** A pipeline that no table of it can work around. */
export const problemBadge = (word: string): Html =>
  badge({ glyph: '✗', word, tone: 'bad', meaning: 'The pipeline does not work.' });

export const pausedBadge = (): Html => badge(SHOWN_STATES.paused);
