/** Each action asks first and says what it will do. Pure. */
import { html } from 'hono/html';
import type { ActionName } from './buttons.ts';
import type { Html } from './html.ts';

export interface ActionTarget {
  /** Null for everything. */
  readonly pipeline: string | null;
  /** Null for all tables of the pipeline. */
  readonly table: string | null;
}

interface ActionQuestion {
  readonly title: string;
  readonly effects: readonly string[];
  readonly button: string;
}

const nameOf = ({ pipeline, table }: ActionTarget): string => {
  if (pipeline === null) return 'everything';
  return table === null ? `pipeline ${pipeline}` : `table ${table} of pipeline ${pipeline}`;
};

export function questionFor(action: ActionName, target: ActionTarget): ActionQuestion {
  const name = nameOf(target);
  const isTable = target.table !== null;
  switch (action) {
    case 'sync':
      return {
        title: `Sync ${name}?`,
        effects: [
          isTable
            ? 'A worker copies the changes since the last sync of the table.'
            : 'A worker looks for tables with changes. Workers sync those tables.',
          'The schedule stays as it is.',
        ],
        button: 'Sync now',
      };
    case 'verify':
      return {
        title: `Verify ${name}?`,
        effects: [
          'A worker reads all selected rows at the source and at each destination, and compares them.',
          'It changes no row. On large tables it takes long.',
        ],
        button: 'Verify',
      };
    case 'full-refresh':
      return {
        title: `Load ${name} again?`,
        effects: [
          'A worker reads all selected rows of the source, not only changes.',
          'Readers of the destination see the old rows until the new ones are complete.',
        ],
        button: 'Load again',
      };
    case 'reset':
      return {
        title: `Reset ${name}?`,
        effects: [
          'A worker removes the saved state of the table. The rows at the destination stay.',
          'The next sync loads the whole table.',
        ],
        button: 'Reset',
      };
    case 'pause':
      return {
        title: `Pause ${name}?`,
        effects: [
          `No worker begins with ${isTable ? 'the table' : 'any of the tables'} until the pause ends. Syncs that run now continue.`,
          'The destination gets no changes during the pause. Nothing is lost: the next sync copies them.',
        ],
        button: 'Pause',
      };
    case 'resume':
      return {
        title: `Resume ${name}?`,
        effects: ['Workers take its tables again. Schedules continue with the next due time.'],
        button: 'Resume',
      };
    case 'delete':
      return {
        title: `Delete ${name}?`,
        effects: [
          'Its definition, schedules, pauses and hooks go. Syncs that run are rolled back.',
          'The destination tables and their saved state stay. The history stays for 30 days.',
        ],
        button: 'Delete',
      };
  }
}

export const CANCEL_QUESTION: ActionQuestion = {
  title: 'Cancel the run?',
  effects: [
    'Workers stop the syncs of this run within seconds and roll them back.',
    'Tables that are done stay as they are. The next run continues with the others.',
  ],
  button: 'Cancel the run',
};

const PAUSE_TIMES = [
  { value: '', text: 'until somebody resumes it' },
  { value: '15m', text: 'for 15 minutes' },
  { value: '1h', text: 'for 1 hour' },
  { value: '8h', text: 'for 8 hours' },
  { value: '1d', text: 'for 1 day' },
] as const;

interface Form {
  readonly question: ActionQuestion;
  /** Where the form is sent to. */
  readonly action: string;
  /** The screen that the question comes from. */
  readonly back: string;
  /** Whether it asks for a reason and an end. */
  readonly isPause: boolean;
}

export const questionContent = ({ question, action, back, isPause }: Form): Html =>
  html`<section class="prose">
    <h1>${question.title}</h1>
    ${question.effects.map((effect) => html`<p>${effect}</p>`)}
    <form class="ask" method="post" action="${action}">
      ${isPause ? pauseFields() : ''}
      <div class="actions">
        <button class="primary">${question.button}</button>
        <a class="button" href="${back}">Back</a>
      </div>
    </form>
  </section>`;

const pauseFields = (): Html =>
  html`<label>Reason, for others to read <input name="note" maxlength="200" autocomplete="off" /></label>
    <label
      >How long
      <select name="duration">
        ${PAUSE_TIMES.map(({ value, text }) => html`<option value="${value}">${text}</option>`)}
      </select></label
    >`;

/** After an action, on the screen that it came from. */
export const NOTICES: Readonly<Record<string, string>> = {
  sync: 'The sync was requested. A worker takes it within seconds.',
  verify: 'The comparison was requested. A worker takes it within seconds.',
  'full-refresh': 'The load was requested. A worker takes it within seconds.',
  reset: 'The reset was requested. A worker takes it within seconds.',
  pause: 'It is paused. Syncs that ran before the pause continue.',
  resume: 'It is resumed.',
  cancel: 'The run is being cancelled.',
  delete: 'The pipeline is deleted. Its destination tables stay.',
};
