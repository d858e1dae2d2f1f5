/** Where a database has states of pipelines. */
import type pg from 'pg';
import * as z from 'zod';
import { STATE_TABLES } from '../../sql/state.ts';

export interface StateSchemas {
  /** The schemas that have a state table. */
  readonly all: readonly string[];
  /** Those whose state table this role may read. */
  readonly readable: readonly string[];
}

const tables = z.array(z.object({ schema: z.string(), canRead: z.boolean() }));

export async function readStateSchemas(client: pg.ClientBase): Promise<StateSchemas> {
  const found = tables.parse((await client.query(STATE_TABLES)).rows);
  return {
    all: found.map(({ schema }) => schema),
    readable: found.flatMap(({ schema, canRead }) => (canRead ? [schema] : [])),
  };
}
