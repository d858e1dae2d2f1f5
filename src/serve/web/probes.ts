/** Answers for supervisors and Prometheus. */
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import type { ControlDatabase } from '../../postgres/control-database.ts';
import { IS_READ_ONLY } from '../../sql/control/access.ts';
import { serviceMetrics } from '../metrics.ts';
import type { WebApp, WebParts } from './web-app.ts';

const readyRow = z.object({ isReadOnly: z.boolean() });

/** A supervisor waits a few seconds only, and a slow database would make it wait for each statement before this one. */
async function whyNotReady(control: ControlDatabase, seconds: number): Promise<string | undefined> {
  const asked = control.query(IS_READ_ONLY).then(
    ({ rows }) =>
      readyRow.parse(rows[0]).isReadOnly ? 'the control database accepts no changes' : undefined,
    () => 'the control database does not answer',
  );
  const late = setTimeout(seconds * 1000, `the control database does not answer within ${seconds} s`, {
    ref: false,
  });
  return Promise.race([asked, late]);
}

export function addProbes(app: WebApp, { control, timing, isLoopback }: WebParts): void {
  app.add({ method: 'get', path: '/healthz', access: 'open' }, (context) => context.text('ok\n'));
  app.add({ method: 'get', path: '/readyz', access: 'open' }, async (context) => {
    const why = await whyNotReady(control, timing.serve.probe);
    return why === undefined ? context.text('ready\n') : context.text(`${why}\n`, 503);
  });
  // Names of tables are nothing for everybody in a network.
  app.add(
    { method: 'get', path: '/metrics', access: isLoopback ? 'open' : 'read', isForAll: true },
    async (context) =>
      context.body(await serviceMetrics(control, timing.serve.heartbeat * 2), 200, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      }),
  );
}
