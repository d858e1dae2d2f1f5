import { expect, test } from 'vitest';
import { tableNamesForCompletion } from '../../../src/config/completion-names.ts';
import { pipelineDirectory } from './pipeline-directory.ts';

async function namesIn(document: unknown) {
  await using pipeline = await pipelineDirectory({ 'tables-config.json': JSON.stringify(document) });
  return tableNamesForCompletion(pipeline.directory, {});
}

test('tables and patterns as commands take them', async () => {
  expect(await namesIn([{ name: 'orders' }, { name: 'events_*' }, { name: 'deals', schema: 'crm' }])).toEqual(
    ['orders', 'events_*', 'crm.deals'],
  );
  expect(
    await namesIn({ defaults: { schema: 'crm' }, tables: [{ name: 'deals' }, { name: '' }, 1] }),
  ).toEqual(['crm.deals']);
  expect(await namesIn(1)).toEqual([]);
});
