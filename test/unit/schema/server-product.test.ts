/** Recorded answers of version(), from documentation, logs and tests of other projects. */
import { expect, test } from 'vitest';
import { otherServer } from '../../../src/schema/server-product.ts';
import { OTHER_SERVERS } from '../../support/recorded-versions.ts';

const NOTHING_MISSING = { lacks: [], hasDsqlCatalog: false } as const;

test.each(OTHER_SERVERS)('%s is not PostgreSQL', (product, versionText) => {
  expect(otherServer({ ...NOTHING_MISSING, versionText })).toEqual({ product, lacks: [] });
});

test.each([
  'PostgreSQL 15.18 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 14.2.0, 64-bit',
  'PostgreSQL 18.6 (Ubuntu 18.6-1.pgdg26.04+1) on x86_64-pc-linux-gnu, compiled by gcc (Ubuntu 15.2.0-16ubuntu1) 15.2.0, 64-bit',
  'PostgreSQL 16.3 on x86_64-pc-linux-gnu, compiled by gcc (Debian 10.2.1-6) 10.2.1 20210110, 64-bit',
  'PostgreSQL 17.4 (EnterpriseDB Advanced Server 17.4.0) on x86_64-pc-linux-gnu, compiled by gcc (GCC) 11.5.0 20240719 (Red Hat 11.5.0-5), 64-bit',
  'PostgreSQL 17.10 (PolarDB 17.10.1.0 build accf02e2) on x86_64-linux-gnu',
  'PostgreSQL 18.4 (IvorySQL 5.4) on x86_64-pc-linux-gnu, compiled by gcc (GCC) 9.5.0, 64-bit',
  'PostgreSQL 18.4 - Percona Server for PostgreSQL 18.4.1 on x86_64-pc-linux-gnu, compiled by gcc (Ubuntu 15.2.0-16ubuntu1) 15.2.0, 64-bit',
  'PostgreSQL 18.4 (pgEdge 5.0.10) on x86_64-pc-linux-gnu, compiled by gcc (Ubuntu 15.2.0-16ubuntu1) 15.2.0, 64-bit',
  'Babelfish 17.7 on x86_64-pc-linux-gnu, compiled by gcc (Ubuntu 15.2.0-16ubuntu1) 15.2.0, 64-bit',
])('PostgreSQL, or a server that works like it, is accepted: %s', (versionText) => {
  expect(otherServer({ ...NOTHING_MISSING, versionText })).toBeUndefined();
});

test('a server that calls itself PostgreSQL is recognised by what it lacks', () => {
  const lacks = ['transactionsInLocks'] as const;
  // PGAdapter in front of Spanner answers so.
  expect(otherServer({ versionText: 'PostgreSQL 14.1', lacks, hasDsqlCatalog: false })).toEqual({
    product: undefined,
    lacks,
  });
});

test('Aurora DSQL is recognised by its catalog, because version() is that of PostgreSQL', () => {
  const versionText = 'PostgreSQL 16';
  expect(otherServer({ versionText, lacks: [], hasDsqlCatalog: true })?.product).toBe('Amazon Aurora DSQL');
});
