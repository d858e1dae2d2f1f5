/** Addresses of the page. Pure. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

const path = (...parts: readonly string[]): string => `/${parts.map(encodeURIComponent).join('/')}`;

export const pipelinePath = (pipeline: string): string => path('pipelines', pipeline);
export const tablePath = (pipeline: string, table: string): string =>
  path('pipelines', pipeline, 'tables', table);
export const runPath = (run: string): string => path('runs', run);

export const pipelineLink = (pipeline: string): Html =>
  html`<a href="${pipelinePath(pipeline)}">${pipeline}</a>`;
export const tableLink = (pipeline: string, table: string): Html =>
  html`<a href="${tablePath(pipeline, table)}">${table}</a>`;

/** Without the parameters that are empty. */
export function withQuery(address: string, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
  return query.size === 0 ? address : `${address}?${query.toString()}`;
}
