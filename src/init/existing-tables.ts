/** Finds destination tables that exist already and that a sync would refuse to change. */
import * as z from 'zod';
import type { DefaultSchemas } from '../config/tables/raw-entry.ts';
import { labelOf } from '../config/tables/table-mapping.ts';
import { inBatches } from '../postgres/batches.ts';
import { describeTables, schemasQuestion } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import { askAll } from '../postgres/catalog-question.ts';
import { rowsText } from '../report/reasons.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import { NO_NATIVE_TYPES } from '../schema/native-types.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { stateTable } from '../sql/state.ts';
import type { StateFiles } from '../state/state-files.ts';
import { countedRows } from '../sync/facts/populated-tables.ts';
import { reconcile } from '../sync/facts/saved-state.ts';
import { stateQuestion } from '../sync/facts/state-rows.ts';
import { isUnclaimed } from '../sync/facts/unclaimed.ts';
import { misfitText } from '../sync/plan/build-plan.ts';
import { unfitDestination } from '../sync/plan/destination-refusals.ts';

/** It has rows, and increp has no state of it. */
export interface UnclaimedTable {
  readonly name: string;
  /** As text. */
  readonly rows: string;
  /** Why the table cannot be adopted. Empty if it can. */
  readonly misfit: string;
}

/** increp may not read it, or it is not an ordinary table. */
interface UnfitTable {
  readonly name: string;
  readonly what: string;
  readonly next: string;
}

/** Its state belongs to another pipeline or source. */
export interface ForeignTable {
  readonly name: string;
  /** Undefined if only the source is another. */
  readonly pipeline: string | undefined;
  readonly what: string;
  readonly next: string;
}

export interface ExistingTables {
  readonly unclaimed: readonly UnclaimedTable[];
  readonly foreign: readonly ForeignTable[];
  readonly unfit: readonly UnfitTable[];
}

export interface NewPipeline {
  readonly pipeline: string;
  readonly source: { readonly database: string; readonly schema: string };
  readonly homes: DefaultSchemas;
  readonly systemIdentifier: string | null;
  readonly files: StateFiles;
}

const ownerSchema = z.object({ pipeline: z.string() });

/** `sources`: the chosen tables. A table that the server does not describe is left out. Its sync reports why. */
export async function findExistingTables(
  destination: Database,
  asked: NewPipeline,
  sources: readonly Relation[],
): Promise<ExistingTables> {
  const results = await inBatches(sources, (batch) => describeExisting(destination, asked, batch));
  const found = results.flatMap((result) => (result.kind === 'done' ? [result.value] : []));
  return {
    unclaimed: found.flatMap(({ unclaimed }) => unclaimed ?? []),
    foreign: found.flatMap(({ foreign }) => foreign ?? []),
    unfit: found.flatMap(({ unfit }) => unfit ?? []),
  };
}

interface ExistingTable {
  readonly unclaimed: UnclaimedTable | undefined;
  readonly foreign: ForeignTable | undefined;
  readonly unfit: UnfitTable | undefined;
}

async function describeExisting(
  destination: Database,
  { pipeline, source, homes, systemIdentifier, files }: NewPipeline,
  sources: readonly Relation[],
): Promise<ExistingTable[]> {
  const destinationServer = await destination.identity();
  const { schema } = destination.settings;
  const names = sources.map(({ name: { table } }): TableName => ({ schema, table }));
  return destination.withReading(async (client) => {
    const relations = await describeTables(client, [...names, stateTable(schema)]);
    const hasStates = isReadableTable(relations.get(tableKey(stateTable(schema))));
    const asked = hasStates ? names.map((name) => ({ destinationName: name, stateName: name })) : [];
    const [stateOf, schemaOf] = await askAll(client, [
      stateQuestion(pipeline, asked),
      schemasQuestion([schema]),
    ]);
    const { role } = schemaOf(schema);
    const found = await Promise.all(
      names.map(async (name) => {
        const rows = stateOf({ destinationName: name, stateName: name });
        const saved = reconcile(await files.read(labelOf(name, homes.destination)), rows, {
          label: labelOf({ schema: source.schema, table: name.table }, homes.source),
          pipeline,
          source: { ...source, table: name.table },
          sourceOid: undefined,
          destination: name,
          hasTable: true,
          hasRows: true,
          systemIdentifier,
          destinationServer,
        });
        const relation = relations.get(tableKey(name));
        const evidence = { destination: relation, saved, pendingLoad: undefined, isTaken: rows.isTaken };
        return { name, owner: ownerSchema.safeParse(rows.record).data?.pipeline, saved, evidence };
      }),
    );
    const unknown = found.filter(({ evidence }) => isUnclaimed(evidence)).map(({ name }) => name);
    const counts = await countedRows(client, unknown);
    return found.map(({ name, owner, saved, evidence: { destination: relation } }, index) => {
      const counted = counts[unknown.indexOf(name)];
      const from = sources[index];
      const refusal = relation && unfitDestination(relation, { role, isOurs: saved.kind === 'record' });
      return {
        unclaimed:
          counted && counted.rows !== 0
            ? {
                name: name.table,
                rows: rowsText(counted),
                misfit: from && relation ? misfitText(from, relation, NO_NATIVE_TYPES) : '',
              }
            : undefined,
        unfit:
          refusal && saved.kind !== 'foreign'
            ? { name: name.table, what: refusal.message, next: refusal.next }
            : undefined,
        foreign:
          saved.kind === 'foreign'
            ? {
                name: name.table,
                pipeline: owner === pipeline ? undefined : owner,
                what: saved.what,
                next: saved.next,
              }
            : undefined,
      };
    });
  });
}
