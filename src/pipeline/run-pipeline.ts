/** One run of a pipeline, over one destination or several. */
import type { RunSummary } from '../events.ts';
import { run } from '../sync/run/run.ts';
import type { RunRequest } from '../sync/run/run-request.ts';
import type { PipelineContext } from './context.ts';
import { mapSettings, type Expanded } from './expand-tables.ts';

/** A single destination has no name, and shares its reads with no other. */
export async function runPipeline(
  { runContext, pipelines, emit, openSource }: PipelineContext,
  request: RunRequest,
): Promise<RunSummary> {
  const destinations = pipelines.flatMap(({ name, runContext: of }) =>
    name === undefined ? [] : [{ name, context: of }],
  );
  if (destinations.length === 0) return run(runContext, request);
  const { runSeveral } = await import('../sync/run/run-destinations.ts');
  return runSeveral({ destinations, emit, openSource }, request);
}

/** Warnings about patterns belong to the run: to its summary, its log and its messages. */
export const withRemarks = <C extends PipelineContext>({ context, remarks }: Expanded<C>): C =>
  remarks.length === 0
    ? context
    : mapSettings(context, (settings) => ({ ...settings, warnings: [...settings.warnings, ...remarks] }));
