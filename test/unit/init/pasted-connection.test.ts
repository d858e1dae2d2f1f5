import { expect, test } from 'vitest';
import { pastedConnection } from '../../../src/init/pasted-connection.ts';

const URL = 'postgresql://ann:a%27b@db.example.com:5432/shop?sslmode=require';

test.each([
  [URL, URL],
  [` "${URL}" `, URL],
  [`psql "${URL}"`, URL],
  [`psql '${URL}' -c 'SELECT 1'`, URL],
  [`psql ${URL}`, URL],
  [`psql --dbname=${URL} -X`, URL],
  [`PGSSLMODE=require psql -d "${URL}"`, URL],
  [
    `psql "host=db.example.com dbname=shop user=ann password='a b'"`,
    `host=db.example.com dbname=shop user=ann password='a b'`,
  ],
  [`host=db options='-c a=b'`, `host=db options='-c a=b'`],
  ['psql -h db shop', 'host=db dbname=shop'],
  ['psql -h db -p 6612 -U ann shop', 'host=db port=6612 user=ann dbname=shop'],
  ['psql --host=db -Uann -d shop -X', 'host=db user=ann dbname=shop'],
  [`psql -h db 'my shop' ann`, `host=db user=ann dbname='my shop'`],
  ['psql -h db', 'host=db'],
  ['psql shop', 'psql shop'],
  ['psql.example.com', 'psql.example.com'],
])('%s', (pasted, connection) => {
  expect(pastedConnection(pasted)).toBe(connection);
});
