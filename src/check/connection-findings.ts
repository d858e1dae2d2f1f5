/** Compares the connections that a sync needs with those that both servers allow: pure. */
import { BATCH_SIZE } from '../postgres/batches.ts';
import { limitDatabase, limitRole } from '../sql/inspect.ts';
import { warning, type Finding } from './finding.ts';
import type { ConnectionLimits, Inspection } from './inspect.ts';

interface ConnectionUse {
  readonly jobs: number;
  /** 1 if there is only one. */
  readonly destinations: number;
}

type LimitedSide = keyof Inspection['limits'];

export function connectionFindings(
  found: Pick<Inspection, 'limits' | 'plans'>,
  use: ConnectionUse,
): Finding[] {
  return (['source', 'destination'] as const).flatMap((side) => {
    const limits = found.limits[side];
    return limits ? shortage(side, limits, (jobs) => needed(side, found.plans, { ...use, jobs }), use) : [];
  });
}

/** The most connections that a sync with these plans has open at the same time. docs/setup.md lists them. */
function needed(
  side: LimitedSide,
  plans: Inspection['plans'],
  { jobs: asked, destinations }: ConnectionUse,
): number {
  const tables = [...plans.values()].filter(({ kind }) => kind !== 'skip').length;
  const jobs = Math.max(1, Math.min(asked, tables));
  const loads = [...plans].flatMap(([{ settings }, plan]) =>
    plan.kind === 'load' ? [{ settings, plan }] : [],
  );
  const chunked = loads.filter(({ plan }) => plan.chunking.kind === 'chunks');
  const dumped = loads.filter(({ plan }) => plan.loader.loader === 'pg_dump').length;
  const chunks = Math.max(0, ...chunked.map(({ settings }) => settings.loadJobs));
  if (side === 'destination') return 1 + jobs + (jobs > 1 ? Math.min(jobs, chunked.length) : chunks);
  // Before the first table, a second connection asks many tables for changes.
  const besides = Math.max(
    Math.min(jobs, dumped),
    jobs === 1 ? chunks : 0,
    jobs === 1 && tables > BATCH_SIZE ? 1 : 0,
  );
  return destinations === 1 ? jobs + besides : destinations * jobs + jobs + besides;
}

function shortage(
  side: LimitedSide,
  limits: ConnectionLimits,
  neededWith: (jobs: number) => number,
  { jobs }: ConnectionUse,
): Finding[] {
  const need = neededWith(jobs);
  const { role, database, maxConnections, reserved, roleLimit, databaseLimit } = limits;
  const bounds = [
    {
      left: maxConnections - reserved - limits.inUse,
      words: `max_connections is ${maxConnections}, of which ${reserved} are reserved and ${limits.inUse} in use`,
      fix: `raise max_connections to ${limits.inUse + need + reserved} or more`,
    },
    ...(roleLimit === null
      ? []
      : [
          {
            left: roleLimit - limits.ofRole,
            words: `the CONNECTION LIMIT of role "${role}" is ${roleLimit}, of which ${limits.ofRole} are in use`,
            fix: `run: ${limitRole(role, limits.ofRole + need)}`,
          },
        ]),
    ...(databaseLimit === null
      ? []
      : [
          {
            left: databaseLimit - limits.ofDatabase,
            words: `the CONNECTION LIMIT of database "${database}" is ${databaseLimit}, of which ${limits.ofDatabase} are in use`,
            fix: `run: ${limitDatabase(database, limits.ofDatabase + need)}`,
          },
        ]),
  ].filter(({ left }) => left < need);
  if (bounds.length === 0) return [];
  const least = Math.min(...bounds.map(({ left }) => left));
  const fitting = Array.from({ length: jobs - 1 }, (_, fewer) => jobs - 1 - fewer).find(
    (fewer) => neededWith(fewer) <= least,
  );
  const fixes = bounds.map(({ fix }) => fix).join('; ');
  return [
    warning(
      'CONNECTIONS',
      undefined,
      `a sync${jobs > 1 ? ` with ${jobs} jobs` : ''} needs up to ${need} connections to the ${side}, and ${Math.max(0, least)} ${least === 1 ? 'is' : 'are'} left: ${bounds.map(({ words }) => words).join('; ')}`,
      `${fitting === undefined ? '' : `Set "jobs" to ${fitting} in tables-config.json. Or at the ${side}, `}${fitting === undefined ? `At the ${side}, ` : ''}${fixes}`,
    ),
  ];
}
