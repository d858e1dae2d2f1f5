/** Reads the planner's output for a statement: EXPLAIN (FORMAT JSON). */
import * as z from 'zod';

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string | undefined;
  readonly 'Total Cost': number;
  readonly Plans?: readonly Node[] | undefined;
}

const node: z.ZodType<Node> = z.object({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  'Total Cost': z.number(),
  get Plans() {
    return z.array(node).optional();
  },
});

const planRow = z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: node })]) });

export interface QueryCost {
  /** In the units of the planner. */
  readonly cost: number;
  /** Names of tables that are read completely. */
  readonly readWhole: readonly string[];
}

export function readQueryCost(row: unknown): QueryCost {
  const [{ Plan: plan }] = planRow.parse(row)['QUERY PLAN'];
  return { cost: plan['Total Cost'], readWhole: [...new Set(wholeIn(plan))] };
}

const wholeIn = ({ 'Node Type': type, 'Relation Name': name, Plans: parts = [] }: Node): string[] => [
  ...(type === 'Seq Scan' && name !== undefined ? [name] : []),
  ...parts.flatMap(wholeIn),
];
