/** What is paused, by whom, why and until when. Pure. */
import { html } from 'hono/html';
import type { Actor } from '../access/roles.ts';
import type { PauseRow } from '../read/activity.ts';
import { actionLinks } from './buttons.ts';
import { ago, until, type Html } from './html.ts';

const scopeText = ({ pipeline, table }: PauseRow): string => {
  if (pipeline === null) return 'Everything';
  return table === null ? `Pipeline ${pipeline}` : `Table ${table}`;
};

export function pauseBanner(pause: PauseRow, actor: Actor, now: Date): Html {
  const { pipeline, table, by, madeAt, endsAt, reason } = pause;
  const why = reason === 'crashed' ? 'workers were lost at it again and again' : reason;
  return html`<div class="alarm head">
    <span>
      <strong>${scopeText(pause)} is paused</strong> since ${ago(madeAt, now)} by
      ${by}${why === '' ? '' : `: ${why}`}.
      ${endsAt ? html`The pause ends ${until(endsAt, now)}.` : 'It stays paused until somebody resumes it.'}
    </span>
    ${actionLinks(actor, ['resume'], { pipeline, ...(table !== null && { table }) })}
  </div>`;
}
