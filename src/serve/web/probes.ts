/** Answers for supervisors and Prometheus. */
import { serviceMetrics } from '../metrics.ts';
import type { WebApp, WebParts } from './web-app.ts';

export function addProbes(app: WebApp, { control, timing, isLoopback }: WebParts): void {
  app.add({ method: 'get', path: '/healthz', access: 'open' }, (context) => context.text('ok\n'));
  app.add({ method: 'get', path: '/readyz', access: 'open' }, async (context) => {
    try {
      await control.query('SELECT 1');
    } catch {
      return context.text('the control database does not answer\n', 503);
    }
    return context.text('ready\n');
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
