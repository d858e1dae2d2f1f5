/** Where a benchmark ran: what a reader needs to know to believe its numbers, and nothing that names the machine. */
import { arch, cpus, release, totalmem, type } from 'node:os';
import process from 'node:process';
import type { Machine } from './result.ts';
import type { Stage } from './stage.ts';

/** As the servers have them, not as we have asked. */
const SETTINGS = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_level',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'autovacuum',
] as const;

export async function describeMachine({ pair, source, destination, tools }: Stage): Promise<Machine> {
  const { rows } = await pair.destination.query<{ name: string; value: string }>(
    'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) name',
    [SETTINGS],
  );
  const versions = new Set([source.version, destination.version]);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_bytes: totalmem(),
    system: `${type()} ${/^[\d.]+/.exec(release())?.[0] ?? ''} ${arch()}`,
    node: process.version,
    postgres: [...versions].join(' and '),
    tools,
    server_settings: Object.fromEntries(rows.map(({ name, value }) => [name, value])),
  };
}
