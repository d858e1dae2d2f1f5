import type { RunContext } from '../context/run-context.ts';

/** One table, read together with other destinations where they are as far; without any, just that. */
export async function withFanOut<T>(
  context: RunContext,
  table: string,
  sync: (context: RunContext) => Promise<T>,
): Promise<T> {
  const group = await context.fanOut?.meetAt(table);
  if (!group) return sync(context);
  try {
    return await sync({ ...context, group });
  } finally {
    group.leave();
  }
}
