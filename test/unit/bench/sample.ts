/** A small result, as a run would give it. */
import type { BenchResult } from '../../bench/result.ts';
import { compare, limit, summarise } from '../../bench/statistics.ts';

const ran = (wall_s: number, peak_bytes: number | null = null) => ({ wall_s, cpu_s: wall_s / 2, peak_bytes });

const amount = { rows: 3_000_000, bytes: 600_000_000 };
const increp = summarise('increp', [ran(12, 90e6), ran(10, 95e6), ran(11, 92e6)], amount);
const psql = summarise('psql binary COPY', [ran(10, 8e6), ran(8, 8e6), ran(9, 8e6)], amount);
const logical = summarise('logical <"&">', [ran(20), ran(22), ran(21)], amount);

export const SAMPLE: BenchResult = {
  format_version: 1,
  increp: '0.1.0',
  date: '2026-11-21T10:00:00.000Z',
  is_quick: false,
  rounds: 3,
  rows: 3_000_000,
  table_bytes: 650_000_000,
  machine: {
    cpu: 'A Processor',
    cores: 2,
    memory_bytes: 16e9,
    system: 'Linux 6.1.0 x64',
    node: 'v26.0.0',
    postgres: '15.18',
    tools: { psql: 'psql (PostgreSQL) 15.18', pgcopydb: null },
    server_settings: { fsync: 'off' },
  },
  scenarios: [
    {
      name: 'initial-copy',
      title: 'Initial load by COPY, 3,000,000 rows',
      ...amount,
      contestants: [increp, psql, logical],
      comparisons: [compare(increp, psql, 1.15), compare(increp, logical, 0.6)],
      limits: [limit('peak memory of increp', 'bytes', 95e6, 150e6)],
      notes: ['with its key'],
    },
    {
      name: 'quiet',
      title: 'Quiet run, up to 200 tables without changes',
      rows: null,
      bytes: null,
      contestants: [
        summarise('increp, 200 tables', [ran(1.5)], { rows: null, bytes: null }),
        summarise('increp, 20 tables', [ran(0.5)], { rows: null, bytes: null }),
      ],
      comparisons: [],
      limits: [limit('each table', 'ms', 5.55, 10)],
      notes: [],
    },
  ],
  notes: ['Not installed, so what needs it is left out: pgcopydb.'],
};
