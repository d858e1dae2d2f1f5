/** Tables of other kinds at the source. */
import { freshPair } from './pair.ts';

export const LOADERS = ['pg_dump', 'copy'] as const;

export const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';

export const tableOf = (name: string, more: object = {}) => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  deletes: 'hard',
  lookback: '0s',
  ...more,
});

export const pairOf = (sourceSql: string, more: object = {}, name = 't') =>
  freshPair({ tables: [tableOf(name, more)], sourceSql });
