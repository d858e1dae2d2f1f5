/**
 * Databases that one test after the other uses. A side goes back into the pool only when nothing of the test is left in
 * it: all that is there is compared with what was there when the side was made, and a side that differs is left alone.
 */
import process from 'node:process';
import { Client } from 'pg';
import {
  createDestination,
  createSource,
  dropSide,
  newSide,
  prepareSource,
  type Side,
  type SideLogins,
} from './pair-databases.ts';
import { cleanSchemas, endSessions, fingerprintOf } from './traces.ts';

export interface SideRequest {
  readonly side: Side;
  readonly serverUrl: string;
  readonly schema: string;
  readonly encoding: string;
  /** Made for this test, and not used by another one afterwards. */
  readonly isOwn: boolean;
}

export interface SidePool {
  take(request: SideRequest): Promise<SideLogins>;
  giveBack(request: SideRequest, side: SideLogins): Promise<void>;
}

export interface PoolOptions {
  /** Superuser URLs of the servers whose databases are used again. A side on another server is dropped after its test. */
  readonly serverUrls: readonly string[];
  /** Begins the names of all databases and roles of this test run. */
  readonly prefix: string;
  /** False where the servers are deleted at the end of the test run. */
  readonly doServersStay: boolean;
}

export function recycledSides({ serverUrls, prefix, doServersStay }: PoolOptions): SidePool {
  const free = new Map<string, SideLogins[]>();
  /** By database: all that was there at first. */
  const made = new Map<string, string>();
  /** By database: a session that stays open while the database is used again, so that it knows the catalogs already. */
  const admins = new Map<string, Client>();
  let count = 0;
  const nextId = () => {
    count += 1;
    const worker = Number(process.env['VITEST_POOL_ID'] ?? 0);
    return `${prefix}${worker.toString(16)}${count.toString(16).padStart(3, '0')}`;
  };

  return {
    take: async (request) => {
      const known = request.isOwn ? undefined : free.get(keyOf(request))?.pop();
      if (known) return known;
      const side = await createSide(request, nextId());
      if (isRecycled(request)) {
        const admin = await openAdmin(side);
        admins.set(side.increp.database, admin);
        made.set(side.increp.database, await cleaned(admin, request, side));
      }
      return side;
    },
    giveBack: async (request, side) => {
      const { database } = side.increp;
      const [before, admin] = [made.get(database), admins.get(database)];
      if (before !== undefined && admin && (await isClean(admin, request, side, before))) {
        const key = keyOf(request);
        free.set(key, [...(free.get(key) ?? []), side]);
        return;
      }
      await admin?.end();
      admins.delete(database);
      if (doServersStay || !serverUrls.includes(request.serverUrl)) {
        await dropSide(side);
      }
    },
  };

  function isRecycled({ isOwn, serverUrl }: SideRequest): boolean {
    return !isOwn && serverUrls.includes(serverUrl);
  }
}

const keyOf = ({ side, serverUrl, schema, encoding }: SideRequest): string =>
  JSON.stringify([side, serverUrl, schema, encoding]);

/** A new pair of a database and a role. */
export async function createSide(request: SideRequest, id: string): Promise<SideLogins> {
  const { side, serverUrl, schema, encoding } = request;
  const names =
    side === 'source'
      ? { database: `src_${id}`, user: `reader_${id}` }
      : { database: `dst_${id}`, user: `writer_${id}` };
  const made = newSide(side, serverUrl, names, encoding);
  await (side === 'source' ? createSource(made, schema) : createDestination(made));
  return made;
}

async function isClean(
  admin: Client,
  request: SideRequest,
  side: SideLogins,
  before: string,
): Promise<boolean> {
  try {
    await endSessions(admin);
    return (await cleaned(admin, request, side)) === before;
  } catch {
    // What cannot be cleaned, because a test has renamed, locked or closed it, is not used again.
    return false;
  }
}

/** Resolves to what is there then. */
async function cleaned(admin: Client, { side: of, schema }: SideRequest, side: SideLogins): Promise<string> {
  await cleanSchemas(admin);
  if (of === 'source') await prepareSource(admin, side, schema);
  return fingerprintOf(admin);
}

async function openAdmin({ superuser }: SideLogins): Promise<Client> {
  const admin = new Client(superuser);
  // A test may end it with all sessions of its database, which then is not used again.
  admin.on('error', () => undefined);
  await admin.connect();
  return admin;
}
