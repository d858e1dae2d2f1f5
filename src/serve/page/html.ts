/** Pieces of HTML. `html` escapes every value, so a name with a tag in it stays text. */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { formatAge } from '../../report/age.ts';

export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
export type Content = Html | string | number | readonly Html[];

export interface ShownColumn {
  readonly title: string;
  /** For numbers. */
  readonly isRight?: true;
  /** A column of buttons needs no title that people see. */
  readonly isTitleHidden?: true;
}

interface ShownTable {
  /** Read by screen readers. The heading above says it to others. */
  readonly caption: string;
  readonly columns: readonly ShownColumn[];
  readonly rows: readonly (readonly Content[])[];
  /** Instead of a table without rows. */
  readonly empty: string;
}

/** On a narrow screen each row becomes a list, so each cell carries the title of its column. */
export function dataTable({ caption, columns, rows, empty }: ShownTable): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const side = (column: ShownColumn | undefined) => (column?.isRight ? 'right' : 'left');
  return html`<table>
    <caption class="unseen">
      ${caption}
    </caption>
    <thead>
      <tr>
        ${columns.map(
          (column) =>
            html`<th scope="col" class="${side(column)}">
              <span class="${column.isTitleHidden ? 'unseen' : 'title'}">${column.title}</span>
            </th>`,
        )}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (cells) =>
          html`<tr>
            ${cells.map(
              (cell, place) =>
                html`<td class="${side(columns[place])}" data-title="${columns[place]?.title ?? ''}">
                  <div>${cell}</div>
                </td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

export const section = (id: string, title: string, ...content: readonly Content[]): Html =>
  html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${content}
  </section>`;

/** Pairs of a name and a value. */
export const facts = (pairs: readonly (readonly [name: string, value: Content])[]): Html =>
  html`<dl class="facts">
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;

/** Text in parentheses, for people who do not need it at first. */
export const quiet = (text: Content): Html => html`<span class="quiet">${text}</span>`;

export const NONE = '–';

/** The time in UTC shows when the pointer rests on it. */
const timed = (date: Date, text: string): Html =>
  html`<time datetime="${date.toISOString()}" title="${utc(date)}">${text}</time>`;

/** `2026-01-31 12:00:00 UTC` */
export const utc = (date: Date): string => `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** `12:00` */
export const utcClock = (date: Date): string => date.toISOString().slice(11, 16);

/** `3 min ago`. */
export const ago = (date: Date | null | undefined, now: Date): Html | string =>
  date ? timed(date, `${formatAge(secondsBetween(date, now))} ago`) : NONE;

/** `in 3 min`, or `now` for a time that is over. */
export function until(date: Date | null | undefined, now: Date): Html | string {
  if (!date) return NONE;
  const seconds = secondsBetween(now, date);
  return timed(date, seconds < 1 ? 'now' : `in ${formatAge(seconds)}`);
}

export const secondsBetween = (from: Date, to: Date): number => (to.getTime() - from.getTime()) / 1000;
