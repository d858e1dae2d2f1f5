import { expect, test } from 'vitest';
import { loginParts, partOf, sslModePart } from '../../../src/postgres/endpoint.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const DESTINATION = { DEST_HOST: 'warehouse', DEST_USERNAME: 'writer', DEST_DB: 'analytics' };

test.each([
  [CONNECTIONS, 'SOURCE_USERNAME and SOURCE_PASSWORD', 'SOURCE_DB', 'SOURCE_SSLMODE'],
  [
    { ...DESTINATION, SOURCE_URL: 'postgresql://reader:pass@db/shop' },
    'the user and the password in SOURCE_URL',
    'the database in SOURCE_URL',
    'SOURCE_SSLMODE (or "sslmode" in SOURCE_URL)',
  ],
  [
    { ...DESTINATION, SOURCE_URL: 'postgresql://reader@db/shop', SOURCE_PASSWORD: 'pass' },
    'the user in SOURCE_URL and SOURCE_PASSWORD',
    'the database in SOURCE_URL',
    'SOURCE_SSLMODE (or "sslmode" in SOURCE_URL)',
  ],
])('advice names the settings that exist', async (environment, login, database, mode) => {
  await using pipeline = await pipelineDirectory();
  const { source } = await pipeline.load(environment);
  expect(loginParts(source)).toBe(login);
  expect(partOf(source, 'DB', 'the database')).toBe(database);
  expect(sslModePart(source)).toBe(mode);
});
