/** Everything at a glance. */
import type { Actor } from '../../access/roles.ts';
import { readPauses, readQueue, readRunning } from '../../read/activity.ts';
import { readOverview } from '../../read/overview.ts';
import { pipelineTroubles } from '../../read/pipeline-trouble.ts';
import { silentIn } from '../../unserved-runs.ts';
import type { WebParts } from '../web-app.ts';
import { inJson } from './in-json.ts';

export async function readStatus(parts: WebParts, { pipelines: visible }: Actor): Promise<unknown> {
  const { control } = parts;
  const {
    pipelineRows: _,
    pipelinesFound: __,
    troubledPipelines,
    attention,
    ...counts
  } = await readOverview(control, {
    ...{ visible, search: '', limit: 1, offset: 0, silentSeconds: silentIn(parts) },
  });
  const pauses = await readPauses(control, null);
  return inJson({
    ...counts,
    attention: [
      ...troubledPipelines.flatMap(pipelineTroubles).map((trouble) => ({ ...trouble, table: null })),
      ...attention,
    ],
    queue: await readQueue(control, visible),
    running: await readRunning(control, { visible, pipeline: null, limit: 100 }),
    pauses: pauses.filter(({ pipeline }) => !visible || pipeline === null || visible.includes(pipeline)),
  });
}
