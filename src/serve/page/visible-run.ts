import { mayUsePipeline } from '../access/roles.ts';
import { readRun, type RunDetails } from '../read/run.ts';
import { RefusedRequest } from '../refusal.ts';
import { silentIn } from '../unserved-runs.ts';
import { actorOf, type WebContext, type WebParts } from '../web/web-app.ts';

/** The run, if the actor may see its pipeline. @throws RefusedRequest NOT_FOUND */
export async function visibleRun(context: WebContext, parts: WebParts): Promise<RunDetails> {
  const run = await readRun(parts.control, context.req.param('run') ?? '', silentIn(parts));
  if (!run || !mayUsePipeline(actorOf(context), run.pipeline)) throw missing('there is no such run');
  return run;
}

export const missing = (message: string): RefusedRequest =>
  new RefusedRequest('NOT_FOUND', message, 'It may have been removed. The overview lists what there is.');
