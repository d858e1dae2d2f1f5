/** The login, and answers that are no screen. */
import { html } from 'hono/html';
import type { RefusalText } from '../refusal.ts';
import type { Html } from './html.ts';

export const loginContent = (next: string, refusal?: RefusalText): Html =>
  html`<section class="prose">
    <h1>Log in</h1>
    ${refusal ? html`<div class="alarm failed" role="alert">${refusal.message}. ${refusal.hint}</div>` : ''}
    <form class="ask" method="post" action="/login">
      <input type="hidden" name="next" value="${next}" />
      <label>Token <input name="token" type="password" autocomplete="off" required autofocus /></label>
      <p class="quiet">
        To create a token, run <code>increp token create --role operate</code> on a machine of the service.
      </p>
      <div><button class="primary">Log in</button></div>
    </form>
  </section>`;

export const refusalContent = ({ message, hint, code }: RefusalText, reloads?: number): Html =>
  html`<section class="prose">
    <h1>${message}</h1>
    <p>${hint} <code>${code}</code></p>
    ${reloads ? html`<p>This page asks again every ${reloads} seconds.</p>` : ''}
    <p><a href="/">To the overview</a></p>
  </section>`;
