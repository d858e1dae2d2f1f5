/** Counts the rows that wait for a sync, for the service. The counts of many tables share a message. */
import { asIncrepError } from '../../errors.ts';
import type { WaitingRows } from '../../events.ts';
import type pg from 'pg';
import { batchesOf } from '../../postgres/batches.ts';
import { isAboutOneStatement } from '../../postgres/server-errors.ts';
import { COUNTED_AT, countsOnly } from '../../sql/estimate.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import type { Statement } from '../../sql/search-path.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import { NOT_KNOWN, waitingIn, waitingQuestion } from '../fence/waiting-rows.ts';
import { persistently } from './retries.ts';

export async function countWaiting(
  context: RunContext,
  tables: readonly TableFacts[],
): Promise<readonly WaitingRows[]> {
  const asked = tables.flatMap((facts) => {
    const count = waitingQuestion(facts);
    return count === undefined ? [] : [{ table: facts.settings.name, count }];
  });
  const deadline = performance.now() + context.timing.waitingCount.all * 1000;
  const found = new Map<string, ReturnType<typeof waitingIn>>();
  for (const batch of batchesOf(asked)) {
    const answers = await persistently(context, undefined, () =>
      answersFor(
        context,
        batch.map(({ count }) => count),
        deadline,
      ),
    );
    for (const [place, { table }] of batch.entries()) found.set(table, waitingIn(answers[place]));
  }
  return tables.map(({ settings: { name: table } }) => ({ table, ...(found.get(table) ?? NOT_KNOWN) }));
}

type Answer = pg.QueryResult | undefined;

/** A statement that is refused has no answer. The others of its message are sent again, one by one, while there is time. */
async function answersFor(
  { source, timing }: RunContext,
  counts: readonly Statement[],
  deadline: number,
): Promise<readonly Answer[]> {
  const ask = async (some: readonly Statement[]) => {
    const statements = [lockTimeout(timing.sweepLock), ...countsOnly(some, timing.waitingCount.one)];
    return (await source.readAtOnce(statements)).slice(COUNTED_AT + 1);
  };
  const answers: Answer[] = [];
  const askSome = async (some: readonly Statement[]): Promise<void> => {
    if (performance.now() > deadline) return void answers.push(...some.map(() => undefined));
    try {
      answers.push(...(await ask(some)));
    } catch (error) {
      if (!isAboutOneStatement(asIncrepError(error))) throw error;
      if (some.length === 1) answers.push(undefined);
      else for (const one of some) await askSome([one]);
    }
  };
  await askSome(counts);
  return answers;
}
