import { expect, test } from 'vitest';
import { endpointFor } from '../../../src/postgres/endpoint.ts';
import type { Dependent } from '../../../src/postgres/dependent-object-list.ts';
import { dropByHand } from '../../../src/sync/plan/drop-by-hand.ts';

const LOADER = endpointFor({
  ...{ side: 'destination', host: 'db.example.com', port: 5432 },
  ...{ user: 'loader', database: 'wh' },
});
const FROM = {
  table: { schema: 'public', table: 'orders' },
  database: 'wh',
  version: 170_004,
  name: 'orders',
  endpoint: LOADER,
};

const object = (kind: Dependent['kind'], name: string, more: Partial<Dependent> = {}): Dependent => ({
  ...{ table: '1', kind, name, of: null, owner: 'ann', isOurs: false, isOwnerSuper: false },
  ...{ columns: [], reads: [], canMove: true, lacks: [], ownerLacks: [] },
  ...more,
});

test('views are dropped after the views that read them, and pg_dump saves all of them', () => {
  const totals = object('view', 'reports.totals', { columns: ['note'] });
  const top = object('materialized view', 'reports."Top 10"', { reads: ['reports.totals'] });
  const page = object('view', 'reports.page', { reads: ['reports."Top 10"'] });
  const unrelated = object('view', 'reports.unrelated');
  expect(dropByHand(FROM, [totals], [totals, unrelated, page, top])).toEqual([
    `1. Save the views: pg_dump -s -h db.example.com -p 5432 -U ann -d wh -t reports.page -t 'reports."Top 10"' -t reports.totals -f views-orders.sql`,
    '2. At the destination, run as ann or a superuser: DROP VIEW reports.page; DROP MATERIALIZED VIEW reports."Top 10"; DROP VIEW reports.totals',
    '3. Sync the table: increp sync orders',
    '4. Edit views-orders.sql where it uses removed or changed columns, and run: psql -h db.example.com -p 5432 -U ann -d wh -1 -v ON_ERROR_STOP=1 -f views-orders.sql',
    '5. At the destination, run as ann or a superuser: REFRESH MATERIALIZED VIEW reports."Top 10"',
  ]);
});

test('a server that is older than pg_dump may be refuses a line of the saved views', () => {
  const view = object('view', 'a');
  expect(dropByHand({ ...FROM, version: 150_000 }, [view], [view])[3]).toContain(
    "grep -v '^SET transaction_timeout' views-orders.sql | psql -h db.example.com -p 5432 -U ann -d wh -1 -v ON_ERROR_STOP=1 -f -   # grep: for pg_dump 17 and later",
  );
});

test('each kind of object has its statement, and what has none is named', () => {
  expect(
    dropByHand(
      FROM,
      [
        object('trigger', 'stamp', { owner: null }),
        object('policy', 'own_rows', { of: 'public.other' }),
        object('foreign key', 'items_order', { of: 'public.items' }),
        object('function', 'first_order(integer)', { owner: null }),
        object('identity column', 'id', { owner: null }),
        object('other', 'column x of log, which has its row type', { owner: null }),
      ],
      [],
    ),
  ).toEqual([
    '1. Save the definition of trigger stamp, policy own_rows of public.other (owner ann), foreign key items_order of public.items (owner ann), function first_order(integer), column x of log, which has its row type.',
    '2. Drop or change column x of log, which has its row type.',
    '3. At the destination, run as ann or a superuser: DROP TRIGGER stamp ON "public"."orders"; DROP POLICY own_rows ON public.other; ALTER TABLE public.items DROP CONSTRAINT items_order; DROP FUNCTION first_order(integer); ALTER TABLE "public"."orders" ALTER COLUMN id DROP IDENTITY',
    '4. Sync the table: increp sync orders',
    '5. Create the identity again with what this prints: increp sequences orders',
    '6. Create the other objects again.',
  ]);
});

test('an owner who could not create a view again gets the privileges before the view is dropped', () => {
  const view = object('view', 'reports.totals', { ownerLacks: ['CREATE ON SCHEMA reports'] });
  expect(dropByHand(FROM, [view], [view])[0]).toBe(
    '1. At the destination, run as the owner of the schema or a superuser: GRANT CREATE ON SCHEMA reports TO "ann"',
  );
});

test('views of several owners are saved by a user of your choice', () => {
  const views = [object('view', 'a'), object('view', 'b', { owner: 'bob' })];
  expect(dropByHand(FROM, views, views)[0]).toContain(
    'pg_dump -s -h db.example.com -p 5432 -d wh -t a -t b -f views-orders.sql',
  );
});
