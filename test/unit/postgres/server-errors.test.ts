import pg from 'pg';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../../src/postgres/endpoint.ts';
import { serverError } from '../../../src/postgres/server-errors.ts';

const DESTINATION = { side: 'destination', address: 'wh:5432/wh', door: '', role: 'loader' } as Endpoint;

const SOURCE = { ...DESTINATION, side: 'source', role: 'reader' } as Endpoint;

const answer = (code: string, { message = 'refused', ...place }: Partial<pg.DatabaseError>) =>
  Object.assign(new pg.DatabaseError(message, 7, 'error'), { code, ...place });

const refusal = (code: string, place: Partial<pg.DatabaseError>, endpoint = DESTINATION) =>
  serverError(answer(code, place), endpoint);

const loginRefusal = (code: string, message: string) =>
  serverError(answer(code, { message }), DESTINATION, true);

test.each([
  ['23502', { schema: 'public', table: 'orders', column: 'Note' }, 'ALTER COLUMN "Note" DROP NOT NULL'],
  [
    '23502',
    { schema: 'public', table: 'orders', column: 'a', constraint: 'orders_a_not_null' },
    'DROP NOT NULL',
  ],
  ['23514', { schema: 'public', table: 'orders', constraint: 'positive' }, 'DROP CONSTRAINT "positive"'],
])(
  'the constraint that refuses a row (%s) comes with the statement that drops it',
  (code, place, statement) => {
    const { next } = refusal(code, place);
    expect(next).toMatch(/Correct the row at the source, or .*: ALTER TABLE "public"\."orders" /);
    expect(next).toContain(statement);
  },
);

test('a full disk: the advice names the tablespace', () => {
  const full = (path: string) =>
    refusal('53100', { message: `could not extend file "${path}": No space left on device` }).next;
  expect(full('base/5/16438')).toMatch(/^Free some space on that server/);
  expect(full('pg_tblspc/17140/PG_15_202209061/5/16438')).toContain(
    'run at the destination: SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace WHERE oid = 17140.',
  );
});

test('a refused password may have expired, and a missing rule of pg_hba.conf says nothing about it', () => {
  expect(loginRefusal('28P01', 'password authentication failed for user "loader"').next).toContain(
    'rolvaliduntil',
  );
  expect(loginRefusal('28000', 'no pg_hba.conf entry for host "::1"').next).not.toContain('rolvaliduntil');
});

test('for a constraint of a domain, there is no statement', () => {
  expect(refusal('23514', { constraint: 'positive' }).next).not.toContain('ALTER');
});

test.each([
  [
    DESTINATION,
    'schema my shop',
    'At the destination, run: GRANT USAGE, CREATE ON SCHEMA "my shop" TO "loader"',
  ],
  [SOURCE, 'schema shop', 'At the source, run: GRANT USAGE ON SCHEMA "shop" TO "reader"'],
  [DESTINATION, 'database "wh"', 'At the destination, run: GRANT CONNECT ON DATABASE "wh" TO "loader"'],
  [DESTINATION, 'database wh', 'At the destination, run: GRANT CREATE ON DATABASE "wh" TO "loader"'],
  [
    SOURCE,
    'table orders',
    'Grant role "reader" the missing privilege on table orders at the source. For what each side needs, see "increp help setup".',
  ],
])('a missing privilege, %#: the advice names the object', (endpoint, object, expected) => {
  const message = `permission denied for ${object}`;
  expect(refusal('42501', { message }, endpoint).next).toBe(expected);
});

test.each([
  [
    'must be owner of materialized view totals',
    'Make role "loader" the owner of materialized view totals at the',
  ],
  ['keine Berechtigung für Schema shop', 'Grant role "loader" the missing privilege at the destination.'],
])('a privilege that no statement gives: %s', (message, expected) => {
  expect(refusal('42501', { message }).next).toContain(expected);
});

test('a function of the user needs no right to create tables in a schema', () => {
  const { next } = refusal('42501', {
    message: 'permission denied for schema audit',
    where: 'PL/pgSQL function boom() line 1 at SQL statement',
  });
  expect(next).toBe('At the destination, run: GRANT USAGE ON SCHEMA "audit" TO "loader"');
});

const BOOM = 'PL/pgSQL function boom() line 1 at RAISE';

test.each([
  ['P0001', BOOM, 'The function boom() of', `pg_trigger WHERE tgfoid = 'boom()'::regprocedure`],
  // The outermost call is the one that a trigger makes.
  [
    '22012',
    'PL/pgSQL function part(integer) line 2 at RETURN\nSQL statement "SELECT part(1)"\nPL/pgSQL function shop."It\'s"() line 3 at PERFORM',
    `The function shop."It's"() of`,
    `tgfoid = 'shop."It''s"()'::regprocedure`,
  ],
  ['22012', 'SQL function "half" statement 1', 'The function half of', 'an index of the destination table'],
  [
    '22012',
    'PL/pgSQL function f(numeric) line 3 at RETURN',
    'The function f(numeric) of',
    'a check constraint',
  ],
  ['P0001', undefined, 'A function of the destination database raised this error.', 'a trigger'],
])('an error that a function raises (%s, %s) is of the function', (code, where, ...expected) => {
  const { code: found, next } = refusal(code, { where });
  expect(found).toBe('QUERY_FAILED');
  for (const part of expected) expect(next).toContain(part);
});

test.each(['P0001', '23514', '42501'])(
  'an error of RAISE (%s) keeps its detail and its hint, and the advice names the function',
  (code) => {
    const said = { message: 'closed', detail: 'Month 11.', hint: 'Open\nthe month.', where: BOOM };
    const { message, next } = refusal(code, { ...said, routine: 'exec_stmt_raise' });
    expect(message).toContain(`closed (Month 11.) (hint: Open the month.) [${BOOM}]`);
    expect(next).toContain('The function boom() of');
  },
);

test('the hint of the server is printed if increp has no advice of its own', () => {
  const hint = 'Use DROP ... CASCADE to drop the dependent objects too.';
  expect(refusal('2BP01', { hint }).message).not.toContain('CASCADE');
  expect(refusal('42883', { hint: 'Add a cast.' }, SOURCE).message).toContain('refused (hint: Add a cast.)');
});

test('at the source, a trigger is not the cause', () => {
  const { next } = refusal('P0001', { where: BOOM }, SOURCE);
  expect(next).toContain('The function boom() of the source database raised this error. A view, a policy');
  expect(next).not.toContain('trigger');
});

test.each(['COPY orders, line 1', 'PL/pgSQL function inline_code_block line 1 at RAISE', undefined])(
  'the context %s names no function of the database',
  (where) => {
    expect(refusal('22012', { where }).next).toContain('refuses the statement');
  },
);

test('a role that may not log in does not need another password', () => {
  const { code, next } = loginRefusal('28000', 'role "loader" is not permitted to log in');
  expect(code).toBe('AUTHENTICATION_FAILED');
  expect(next).toBe(
    'If this pipeline was ended on purpose, remove its schedule. Otherwise, run as a superuser at the destination: ALTER ROLE "loader" LOGIN',
  );
});

test('a database that allows no connections, and a refused connection without a verdict', () => {
  const closed = loginRefusal('55000', 'database "wh" is not currently accepting connections');
  expect(closed.code).toBe('CONNECTION_FAILED');
  expect(closed.next).toContain('ALTER DATABASE "wh" ALLOW_CONNECTIONS true');
  expect(loginRefusal('22023', 'invalid value').next).toContain(
    'refuses the connection; its log may show why',
  );
});
