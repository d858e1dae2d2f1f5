/**
 * Recognises servers that speak the protocol of PostgreSQL and are not PostgreSQL, by version() and by what they lack.
 * Pure. PostgreSQL under another name is accepted: Aurora, AlloyDB, Neon, EDB Postgres Advanced Server, PolarDB.
 */

/** What increp cannot work without. */
export const ESSENTIALS = {
  transactionsInLocks: 'virtual transaction IDs in pg_locks',
  rowTransactionIds: 'the system column xmin',
  snapshots: 'pg_current_snapshot()',
} as const;

export type Essential = keyof typeof ESSENTIALS;

export interface ServerSigns {
  /** The answer of version(). Undefined if the server refused it. */
  readonly versionText: string | undefined;
  readonly lacks: readonly Essential[];
  /** Whether there is a catalog that only Aurora DSQL has. Its version() is that of PostgreSQL. */
  readonly hasDsqlCatalog: boolean;
}

/**
 * Each has storage or a transaction manager of its own. Greenplum and Cloudberry have the catalogs of PostgreSQL, but
 * each segment counts its own transaction IDs.
 */
const PRODUCTS: readonly (readonly [name: string, says: RegExp])[] = [
  ['CockroachDB', /^CockroachDB\b/],
  ['YugabyteDB', /^PostgreSQL \S+-YB-/],
  ['Amazon Redshift', /\bRedshift \d/],
  ['QuestDB', /\bQuestDB\b/],
  ['CrateDB', /^CrateDB\b/],
  ['Materialize', /\bMaterialize \d/],
  ['RisingWave', /^PostgreSQL \S+-RisingWave-/],
  ['Apache Cloudberry', /\((Apache )?Cloudberry/],
  ['Greenplum', /\(Greenplum Database\b/],
  ['openGauss', /\bopenGauss\b/],
  ['GaussDB', /\bGaussDB\b/],
  ['KingbaseES', /^KingbaseES\b/],
  ['Vertica', /^Vertica\b/],
  ['Redpanda SQL', /^Redpanda SQL\b/],
  ['Spanner', /\bSpanner\b/],
  ['CedarDB', /\bCedarDB\b/],
  ['H2', /\busing H2 \d/],
];

export interface OtherServer {
  /** Undefined if the server does not say what it is. */
  readonly product: string | undefined;
  readonly lacks: readonly Essential[];
}

/** Undefined for PostgreSQL. A name that is unknown says nothing if nothing is missing. */
export function otherServer({ versionText, lacks, hasDsqlCatalog }: ServerSigns): OtherServer | undefined {
  const named = PRODUCTS.find(([, says]) => says.test(versionText ?? ''))?.[0];
  const product = named ?? (hasDsqlCatalog ? 'Amazon Aurora DSQL' : undefined);
  return product === undefined && lacks.length === 0 ? undefined : { product, lacks };
}
