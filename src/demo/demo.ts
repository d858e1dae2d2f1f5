/** Runs the demo from the first to the last line. Each chapter is a function, and all chapters share one stage. */
import type { Environment } from '../environment.ts';
import { formatSeconds } from '../format.ts';
import { changeShop, commitLate, fillShop, syncAgain, syncFirst } from './chapters.ts';
import { compareDatabases, sabotage } from './comparison.ts';
import { withClient } from './connection.ts';
import { printAccess, writeRemover } from './kept.ts';
import { preparePipeline, withStage, type Scene, type Stage } from './stage.ts';
import type { Story } from './story.ts';

export interface DemoRequest {
  readonly story: Story;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Keeps the servers and the directory. */
  readonly isKept: boolean;
  /** Changes a row of the destination before the comparison, to prove that the comparison finds it. */
  readonly isSabotaged: boolean;
}

/** Whether both databases were equal at the end. */
export async function playDemo(request: DemoRequest): Promise<boolean> {
  const { story, environment, signal } = request;
  const startedAt = performance.now();
  const elapsed = () => formatSeconds((performance.now() - startedAt) / 1000);
  story.title('increp demo: a small shop, copied from one Postgres server to another');
  story.heading('Two real Postgres servers start');
  return withStage({ environment, signal }, async (stage) => {
    await preparePipeline(stage);
    introduce(story, stage, elapsed());
    const areEqual = await withClient(stage.source, signal, (sourceClient) =>
      withClient(stage.destination, signal, (destinationClient) =>
        playChapters({ ...stage, story, sourceClient, destinationClient }, request),
      ),
    );
    conclude(story, areEqual, elapsed());
    if (request.isKept) {
      await writeRemover(stage);
      printAccess(story, stage);
      await stage.keep();
    } else {
      story.print(`The demo removes everything now. To keep it: ${story.increpCommand('demo')} --keep`);
    }
    return areEqual;
  });
}

async function playChapters(scene: Scene, { isSabotaged }: DemoRequest): Promise<boolean> {
  await fillShop(scene);
  await syncFirst(scene);
  // The transaction that commits late has its own connection, which stays open for two chapters.
  await withClient(scene.source, scene.signal, async (lateClient) => {
    await changeShop(scene, lateClient);
    await syncAgain(scene);
    await commitLate(scene, lateClient);
  });
  if (isSabotaged) await sabotage(scene);
  return compareDatabases(scene);
}

export function introduce(story: Story, { servers, source, destination }: Stage, seconds: string): void {
  story.table(
    [source, destination].map(({ side, host, port, database }, index) => [
      side,
      `Postgres ${servers[index]?.version} at ${host}:${port}`,
      `database ${database}`,
    ]),
  );
  story.print(`Both are running after ${seconds}.`);
}

function conclude(story: Story, areEqual: boolean, seconds: string): void {
  story.heading('Summary');
  if (areEqual) {
    story.verdict(true, `Both databases are equal, byte for byte. The demo took ${seconds}.`);
    story.print('- The first sync loaded all tables, with only SELECT at the source.');
    story.print('- The second sync copied the changes, and loaded the table with the new column again.');
    story.print('- The third sync found a row that was committed below the cursor.');
  } else {
    story.verdict(false, `The databases DIFFER. The demo took ${seconds}.`);
    story.print('Chapter 7 names the tables. This is a bug. Please report it.');
  }
  story.print('Next, with your own databases:');
  for (const command of ['init', 'check', 'plan', 'sync']) story.typedIncrep(`-C ~/shop ${command}`);
}
