/** A pair with more destinations than one: databases on the destination's server, in one pipeline. */
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import type { SideLogins } from './pair-databases.ts';
import { freshPair, sharedSides, type Pair, type PairOptions } from './pair.ts';
import { expectSameRows, type SameRowsOptions } from './oracle.ts';

export interface Copy {
  readonly name: string;
  readonly side: SideLogins;
  /** As the superuser. */
  readonly pool: pg.Pool;
  /** Of the role that increp uses. */
  readonly url: (place?: { readonly host: string; readonly port: number }) => string;
}

export interface SeveralPair extends Pair {
  /** By name: "one", "two" and so on. */
  readonly copies: readonly Copy[];
  readonly copy: (name: string) => Copy;
  /** Writes DEST_URLS, with the URL of one replaced; null leaves one out. */
  readonly setUrls: (others?: Readonly<Record<string, string | null>>) => Promise<void>;
  readonly expectAllSame: (table: string, options?: SameRowsOptions) => Promise<void>;
}

interface SeveralOptions extends PairOptions {
  readonly names?: readonly string[];
  /** Superuser URL of another server for one of them. */
  readonly servers?: Readonly<Record<string, string>>;
}

const ONE_DESTINATION = ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'].map((field) => `DEST_${field}`);

export async function freshSeveral(given: SeveralOptions | 'orders' = {}): Promise<SeveralPair> {
  const { names = ['one', 'two'], servers = {}, ...options } = given === 'orders' ? {} : given;
  const pair = await freshPair(given === 'orders' ? 'orders' : options);
  const copies: Copy[] = [];
  for (const name of names) copies.push(await newCopy(name, servers[name] ?? inject('destinationServerUrl')));
  const setUrls = async (others: Readonly<Record<string, string | null>> = {}) => {
    const urls = copies.flatMap(({ name, url }) => {
      const told = others[name] === undefined ? url() : others[name];
      return told === null ? [] : [`${name}=${told}`];
    });
    await pair.setEnv({
      ...Object.fromEntries(ONE_DESTINATION.map((variable) => [variable, undefined])),
      DEST_URLS: urls.join(' '),
    });
  };
  await setUrls();
  const copy = (name: string): Copy => {
    const found = copies.find((each) => each.name === name);
    if (!found) throw new Error(`there is no copy ${name}`);
    return found;
  };
  return {
    ...pair,
    copies,
    copy,
    setUrls,
    expectAllSame: async (table, how) => {
      for (const { pool } of copies) await expectSameRows({ ...pair, destination: pool }, table, how);
    },
  };
}

async function newCopy(name: string, serverUrl: string): Promise<Copy> {
  const request = {
    side: 'destination',
    serverUrl,
    schema: 'public',
    encoding: 'UTF8',
    isOwn: false,
  } as const;
  const side = await sharedSides().take(request);
  const pool = new pg.Pool({ ...side.superuser, max: 4 });
  pool.on('error', () => undefined);
  onTestFinished(async () => {
    await pool.end();
    await sharedSides().giveBack(request, side);
  });
  const { user, password, database, host, port } = side.increp;
  const encoded = [user, password].map(encodeURIComponent).join(':');
  return {
    name,
    side,
    pool,
    url: (place = { host, port }) =>
      `postgresql://${encoded}@${place.host}:${place.port}/${database}?sslmode=${side.sslmode}`,
  };
}
