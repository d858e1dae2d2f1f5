/** The frame of each screen. */
import { html } from 'hono/html';
import type { Actor } from '../access/roles.ts';
import { version } from '../../version.ts';
import type { Content, Html } from './html.ts';

interface ShownScreen {
  readonly title: string;
  /** Undefined before the login. */
  readonly actor: Actor | undefined;
  /** The address of this screen, which is read again while it is open. Undefined if it never changes. */
  readonly refresh?: string;
  readonly notice?: string | undefined;
  /** Seconds after which the browser asks again. For a screen that could not be shown. */
  readonly reloadAfter?: number | undefined;
  /** Links to the screens above this one. */
  readonly trail?: readonly Html[];
}

const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  // What people have opened stays open when the screen is read again.
  morphIgnore: ['data-htmx-powered', 'open'],
  // An error is no screen: the old values stay, with a notice.
  noSwap: [204, 304, '4xx', '5xx'],
  history: false,
});

export function renderScreen(
  { title, actor, refresh, notice, reloadAfter, trail = [] }: ShownScreen,
  ...content: readonly Content[]
): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content="${HTMX_CONFIG}" />
        ${reloadAfter === undefined ? '' : html`<meta http-equiv="refresh" content="${reloadAfter}" />`}
        <title>${title} · increp</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/page.css" />
        <script src="/assets/htmx.min.js" defer></script>
        <script src="/assets/page.js" defer></script>
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <header>
          <nav aria-label="Path">
            <a class="brand" href="/">increp</a>
            ${trail.map((link) => html`<span aria-hidden="true">/</span> ${link}`)}
          </nav>
          ${actor ? session(actor, refresh !== undefined) : ''}
        </header>
        <main id="content" tabindex="-1">
          ${notice === undefined ? '' : html`<p class="notice" role="status">${notice}</p>`}
          ${refresh === undefined ? content : live(refresh, content)}
        </main>
        <footer>increp ${version()}. Times are in UTC.</footer>
      </body>
    </html>`;
}

/** The script sends the event while the screen is visible and not paused. */
const live = (address: string, content: readonly Content[]): Html =>
  html`<div
    id="live"
    hx-get="${address}"
    hx-trigger="refresh"
    hx-target="#live"
    hx-select="#live"
    hx-swap="outerMorph"
  >
    ${content}
  </div>`;

const session = ({ name, role }: Actor, isLive: boolean): Html =>
  html`<div class="session">
    ${
      isLive
        ? html`<span id="refreshed" class="quiet" hidden></span>
            <button id="refresh" type="button" aria-pressed="false" hidden>Pause refresh</button>`
        : ''
    }
    <span class="quiet">${name} (${role})</span>
    <form method="post" action="/logout"><button>Log out</button></form>
  </div>`;
