import type { Work } from '../context/run-context.ts';

/** One table, read together with other destinations where they are as far; without any, just that. */
export async function inStep<T>(work: Work, table: string, sync: (work: Work) => Promise<T>): Promise<T> {
  const party = await work.companions?.meetAt(table);
  if (!party) return sync(work);
  try {
    return await sync({ ...work, party });
  } finally {
    party.leave();
  }
}
