/** How a user drops dependent objects before a change of shape, and creates them again after it. Pure. */
import type { Dependent } from '../../postgres/dependent-object-list.ts';
import { withTunnel, type Endpoint } from '../../postgres/endpoint.ts';
import type { TableName } from '../../schema/names.ts';
import { shellWord, tableCommand } from '../../shell-word.ts';
import { ident, qualified } from '../../sql/identifiers.ts';

interface DroppedFrom {
  readonly table: TableName;
  readonly database: string;
  /** server_version_num of the destination. */
  readonly version: number;
  /** The name of the table in the settings. */
  readonly name: string;
  readonly endpoint: Endpoint;
}

/** One line for each step. `all` has the objects that are built on the dropped ones. */
export function dropByHand(
  from: DroppedFrom,
  dropped: readonly Dependent[],
  all: readonly Dependent[],
): string[] {
  if (dropped.length === 0) return [];
  const ordered = inDropOrder(withBuiltOn(dropped, all));
  const views = ordered.filter(isView);
  const grants = ownerGrants(views);
  const identities = ordered.filter(({ kind }) => kind === 'identity column');
  const others = ordered.filter((each) => !isView(each) && !identities.includes(each));
  const statements = ordered.flatMap((each) => dropStatement(from.table, each) ?? []);
  const filled = views.filter(({ kind }) => kind === 'materialized view').toReversed();
  const numbered = (steps: readonly string[]) =>
    steps.map((step, index) => withTunnel(`${index + 1}. ${step}`, from.endpoint));
  const unnamed = ordered.filter((each) => dropStatement(from.table, each) === undefined);
  return numbered([
    ...(grants.length === 0
      ? []
      : [`At the destination, run as the owner of the schema or a superuser: ${grants.join('; ')}`]),
    ...(views.length === 0
      ? []
      : [`Save the ${views.length === 1 ? 'view' : 'views'}: ${pgDump(from, views)}`]),
    ...(others.length === 0 ? [] : [`Save the definition of ${others.map(describeDependent).join(', ')}.`]),
    ...(unnamed.length === 0 ? [] : [`Drop or change ${unnamed.map(describeDependent).join(', ')}.`]),
    ...(statements.length === 0
      ? []
      : [`At the destination, run${asOwner(ordered)}: ${statements.join('; ')}`]),
    `Sync the table: ${tableCommand('sync', from.name)}`,
    ...(views.length === 0
      ? []
      : [`Edit ${fileOf(from)} where it uses removed or changed columns, and run: ${psql(from, views)}`]),
    ...(filled.length === 0
      ? []
      : [
          `At the destination, run${asOwner(filled)}: ${filled.map(({ name }) => `REFRESH MATERIALIZED VIEW ${name}`).join('; ')}`,
        ]),
    ...(identities.length === 0
      ? []
      : [`Create the identity again with what this prints: ${tableCommand('sequences', from.name)}`]),
    ...(others.length === 0 ? [] : ['Create the other objects again.']),
  ]);
}

/** What the owners of views need to create them again. */
export const ownerGrants = (objects: readonly Dependent[]): string[] => [
  ...new Set(
    objects.flatMap(({ owner, ownerLacks }) =>
      owner === null ? [] : ownerLacks.map((privileges) => `GRANT ${privileges} TO ${ident(owner)}`),
    ),
  ),
];

/** Only the owner of an object, or a superuser, may drop or refresh it. */
export function asOwner(objects: readonly Dependent[]): string {
  const others = new Set(objects.flatMap(({ owner, isOurs }) => (owner === null || isOurs ? [] : [owner])));
  const [owner] = others;
  if (owner === undefined) return '';
  return others.size === 1 ? ` as ${owner} or a superuser` : ' as a superuser';
}

export const isView = ({ kind }: Dependent): boolean => kind === 'view' || kind === 'materialized view';

export function describeDependent({ kind, name, of, owner, isOurs }: Dependent): string {
  const called = kind === 'other' ? name : `${kind} ${name}${of === null ? '' : ` of ${of}`}`;
  return owner === null || isOurs ? called : `${called} (owner ${owner})`;
}

/** The objects, and all objects that read one of them. */
function withBuiltOn(dropped: readonly Dependent[], all: readonly Dependent[]): readonly Dependent[] {
  const more = all.filter((each) => !dropped.includes(each) && dropped.some((view) => readsFrom(each, view)));
  return more.length === 0 ? dropped : withBuiltOn([...dropped, ...more], all);
}

const readsFrom = ({ reads }: Dependent, view: Dependent): boolean =>
  isView(view) && reads.includes(view.name);

/** Each object before the views that it reads, because DROP refuses a view that is in use. */
export function inDropOrder(objects: readonly Dependent[]): readonly Dependent[] {
  const ready = objects.filter((each) => !objects.some((other) => other !== each && readsFrom(other, each)));
  // The server allows no circle.
  if (ready.length === 0) return objects;
  return [...ready, ...inDropOrder(objects.filter((each) => !ready.includes(each)))];
}

function dropStatement(table: TableName, { kind, name, of }: Dependent): string | undefined {
  const on = of ?? qualified(table);
  switch (kind) {
    case 'view':
    case 'materialized view':
    case 'function':
      return `DROP ${kind.toUpperCase()} ${name}`;
    case 'trigger':
    case 'policy':
      return `DROP ${kind.toUpperCase()} ${name} ON ${on}`;
    case 'foreign key':
      return `ALTER TABLE ${on} DROP CONSTRAINT ${name}`;
    case 'identity column':
      return `ALTER TABLE ${on} ALTER COLUMN ${name} DROP IDENTITY`;
    case 'table':
    case 'other':
      return undefined;
  }
}

/** Each table has a file of its own, because a person may save the views of several tables first. */
const fileOf = ({ name }: DroppedFrom): string =>
  shellWord(`views-${name.replaceAll(/[^\p{L}\p{N}_.-]/gu, '_')}.sql`);

/** pg_dump saves owners, privileges, comments and indexes too, in an order that psql can restore. */
const pgDump = (from: DroppedFrom, views: readonly Dependent[]): string =>
  `pg_dump -s ${session(from, views)} ${views.map(({ name }) => `-t ${shellWord(name)}`).join(' ')} -f ${fileOf(from)}`;

/** All views or none. pg_dump 17 and later sets a parameter that older servers do not have. */
function psql(from: DroppedFrom, views: readonly Dependent[]): string {
  const command = `psql ${session(from, views)} -1 -v ON_ERROR_STOP=1 -f`;
  return from.version < 170_000
    ? `grep -v '^SET transaction_timeout' ${fileOf(from)} | ${command} -   # grep: for pg_dump 17 and later`
    : `${command} ${fileOf(from)}`;
}

/** As the owner of the views, if there is only one. */
function session({ database, endpoint }: DroppedFrom, views: readonly Dependent[]): string {
  const [owner, ...others] = new Set(views.map((view) => view.owner));
  const user = typeof owner === 'string' && others.length === 0 ? ` -U ${shellWord(owner)}` : '';
  return `${endpoint.door}${user} -d ${shellWord(database)}`;
}
