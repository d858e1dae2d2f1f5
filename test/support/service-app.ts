/** The HTTP application of the service in this process, for its routes. */
import { readServiceSettings } from '../../src/config/service/control-database.ts';
import { ControlDatabase } from '../../src/postgres/control-database.ts';
import { servicePage } from '../../src/serve/page/page.ts';
import { openQueue } from '../../src/serve/queue.ts';
import { createApp } from '../../src/serve/web/create-app.ts';
import type { WebApp } from '../../src/serve/web/web-app.ts';
import { QUICK, type ControlPlace } from './service.ts';
import { timingWith } from './timing.ts';

interface OpenApp extends AsyncDisposable, Pick<WebApp, 'hono' | 'routes'> {}

export async function openApp(control: ControlPlace, { withPage = true } = {}): Promise<OpenApp> {
  await using made = new AsyncDisposableStack();
  const settings = await readServiceSettings(control.root, { SERVE_DATABASE_URL: control.url });
  const timing = timingWith(QUICK);
  const database = made.use(
    new ControlDatabase(settings.control, { program: 'serve', connections: 1, timing }),
  );
  const onError = () => undefined;
  const queue = made.use(await openQueue({ control: database, timing: timing.serve, onError }, false));
  const address = { isOwnName: () => true, scheme: 'http', origin: undefined } as const;
  const { signal } = new AbortController();
  const parts = { control: database, queue, timing, address, isLoopback: true, hookKey: undefined };
  const { hono, routes } = createApp({ ...parts, onError, signal }, withPage ? servicePage() : undefined);
  const owned = made.move();
  return { hono, routes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
