/** The files of the page: a fixed map, so no request reads a file. */
import { createHash } from 'node:crypto';
import type { Assets, WebApp } from './web-app.ts';

export function addAssets(app: WebApp, assets: Assets): void {
  for (const [path, { type, body }] of Object.entries(assets)) {
    const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`;
    const headers = { 'content-type': type, 'cache-control': 'no-cache', etag: tag };
    app.add({ method: 'get', path: `/assets/${path}`, access: 'open' }, (context) =>
      context.req.header('if-none-match') === tag
        ? context.body(null, 304, headers)
        : context.body(body, 200, headers),
    );
  }
}
