/** The files of the page, read once when the service starts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Assets } from '../web/web-app.ts';

/** The build copies the directory beside the bundle. */
const DIRECTORY = join(import.meta.dirname, 'assets');

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'htmx.min.js': 'text/javascript; charset=utf-8',
  'htmx-license.txt': 'text/plain; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

export const readAssets = (): Assets =>
  Object.fromEntries(
    Object.entries(TYPES).map(([name, type]) => [
      name,
      { type, body: readFileSync(join(DIRECTORY, name), 'utf8') },
    ]),
  );
