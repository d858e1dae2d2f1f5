/** The pipelines that the API has created, as the control database has them. */
import * as z from 'zod';
import { definitionSchema, type PipelineDefinition } from '../config/service/definition.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import { LIST_DEFINITIONS, READ_DEFINITIONS } from '../sql/control/definitions.ts';

export interface DefinedPipeline {
  readonly name: string;
  /** Grows with each change. */
  readonly version: number;
  readonly definition: PipelineDefinition;
}

const listedRow = z.object({ name: z.string(), version: z.number() });
const definedRow = listedRow.extend({ definition: definitionSchema });

/** Each call reads the definitions that have changed since the last one. */
export function definedPipelines(
  control: Pick<ControlSession, 'query'>,
): () => Promise<readonly DefinedPipeline[]> {
  let known: readonly DefinedPipeline[] = [];
  return async () => {
    const listed = z.array(listedRow).parse((await control.query(LIST_DEFINITIONS)).rows);
    const kept = known.filter(({ name, version }) =>
      listed.some((each) => each.name === name && each.version === version),
    );
    const changed = listed.flatMap(({ name }) => (kept.some((each) => each.name === name) ? [] : [name]));
    const { rows } = changed.length === 0 ? { rows: [] } : await control.query(READ_DEFINITIONS, [changed]);
    // A newer increp may have written what this one cannot read. The other pipelines continue.
    known = [...kept, ...rows.flatMap((row) => definedRow.safeParse(row).data ?? [])];
    return known;
  };
}
