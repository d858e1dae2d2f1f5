/** A tables-config.json of a test: what it means, or what is wrong with it. */
import { pipelineDirectory } from './pipeline-directory.ts';

export const FILE = 'tables-config.json';

export async function load(document: unknown) {
  await using pipeline = await pipelineDirectory({ [FILE]: JSON.stringify(document) });
  return await pipeline.load();
}

/** The lines of the refusal, without the count and the bullets. */
export async function problems(document: unknown): Promise<string[]> {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  await using pipeline = await pipelineDirectory({ [FILE]: text });
  const { message } = await pipeline.refusal();
  return message
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^ {2}- /, ''));
}
