/** Server-sent events: the status each time that it changes. */
import { streamSSE } from 'hono/streaming';
import { pause } from '../../keep-doing.ts';
import { RefusedRequest } from '../../refusal.ts';
import { identify } from '../guard.ts';
import { actorOf, type WebApp, type WebParts } from '../web-app.ts';
import { API } from './declare.ts';
import { readStatus } from './status.ts';

/** Each stream asks the control database again and again. */
const MOST_STREAMS = 50;

/** Then the client connects again. Seconds. */
const LONGEST = 600;

export function addStream(app: WebApp, parts: WebParts): void {
  const { timing, signal, onError } = parts;
  let open = 0;
  const path = `${API}/stream`;
  app.hono.openAPIRegistry.registerPath({
    ...{ method: 'get', path, security: [{ token: [] }], description: 'Role: read.' },
    summary: 'The status as server-sent events, each time that it changes',
    responses: { 200: { description: 'Events.', content: { 'text/event-stream': {} } } },
  });
  app.add({ method: 'get', path, access: 'read' }, (context) => {
    if (open >= MOST_STREAMS)
      throw new RefusedRequest('UNAVAILABLE', 'there are too many streams', 'Poll GET /api/v1/status.');
    const actor = actorOf(context);
    open += 1;
    return streamSSE(context, async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      const ended = AbortSignal.any([signal, gone.signal, AbortSignal.timeout(LONGEST * 1000)]);
      let last = '';
      try {
        // A token that is revoked ends its streams, too.
        while (!ended.aborted && (await identify(context, parts))) {
          const { now, ...status } = (await readStatus(parts, actor)) as { readonly now: string };
          const data = JSON.stringify(status);
          // The time alone is no change. A comment keeps proxies from closing the connection.
          if (data === last) await stream.write(': no change\n\n');
          else await stream.writeSSE({ event: 'status', data: JSON.stringify({ now, ...status }) });
          last = data;
          await pause(timing.serve.streamPoll, ended);
        }
      } catch (error) {
        if (!ended.aborted) onError(error);
      } finally {
        open -= 1;
      }
    });
  });
}
