/** pg_dump or COPY for a whole table, and why: pure. */
import type { Loader } from '../../events.ts';
import { fitsPassfile } from '../../postgres/passfile.ts';
import type { ClientTools } from '../../postgres/client-tools.ts';
import { holdsXml, type Column } from '../../schema/columns.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { Relation } from '../../schema/relations.ts';
import { optionsOf, type Selection } from '../../schema/selection.ts';

export interface LoaderChoice {
  readonly loader: Loader;
  /** Set where pg_dump gives way. */
  readonly why: string | undefined;
  /** Whether the configuration asks for pg_dump by name, so that giving way is against a wish. */
  readonly isAgainstWish: boolean;
  /** Whether it gives way for no other reason than the size of the table. */
  readonly isForSize: boolean;
}

/** Bytes up to which one more process, and its look at the whole catalog, take longer than the rows. */
const SMALL = 10_000_000;

/** Of a table that was never analyzed the catalog does not know the size. */
export const lacksSize = ({ kind, estimatedRows, bytes }: Relation): boolean =>
  kind === 'table' && estimatedRows === undefined && bytes === 0;

interface Situation {
  readonly wanted: Loader | 'auto';
  readonly source: Relation;
  readonly selection: Selection;
  readonly server: Pick<ServerIdentity, 'version' | 'isPooled'>;
  /** Undefined: not looked for yet, and taken to be there. */
  readonly tools: ClientTools | undefined;
  readonly password: string | undefined;
}

export function chooseLoader(situation: Situation): LoaderChoice {
  if (situation.wanted === 'copy')
    return { loader: 'copy', why: undefined, isAgainstWish: false, isForSize: false };
  const unfit =
    unfitServer(situation) ?? unfitTools(situation) ?? unfitRelation(situation) ?? unfitPassword(situation);
  const isForSize = unfit === undefined && isSmall(situation);
  const why = isForSize ? 'for a small table that is faster' : unfit;
  return {
    loader: why === undefined ? 'pg_dump' : 'copy',
    why,
    isAgainstWish: why !== undefined && situation.wanted === 'pg_dump',
    isForSize,
  };
}

const isSmall = ({ wanted, source: { bytes } }: Situation): boolean => wanted === 'auto' && bytes <= SMALL;

/**
 * pg_dump makes its settings before its transaction begins. In transaction pooling they land in sessions of other
 * people, an empty search_path among them, and its own transaction may run without them.
 */
const unfitServer = ({ server }: Situation): string | undefined =>
  server.isPooled
    ? 'a connection pooler stands before the source, and pg_dump needs a session of its own'
    : undefined;

/** Why pg_dump as it is installed cannot read that server. */
export function unfitTools({
  tools,
  server: { version },
}: Pick<Situation, 'tools' | 'server'>): string | undefined {
  if (!tools) return undefined;
  const server = Math.floor(version / 10_000);
  if (tools.pgDump === 'missing') return 'pg_dump is not installed';
  if (tools.pgRestore === 'missing') return 'pg_restore is not installed';
  if (tools.pgDump < server) return `pg_dump ${tools.pgDump} cannot read a server of version ${server}`;
  // Formats of archives are read by programs of the same version or a later one.
  return tools.pgRestore < tools.pgDump
    ? `pg_restore ${tools.pgRestore} cannot read what pg_dump ${tools.pgDump} writes`
    : undefined;
}

function unfitRelation({ source, selection, server }: Situation): string | undefined {
  const { kind, hasChildren, canSelectTable, columns } = source;
  const [option] = optionsOf(selection);
  if (option === 'query') return 'pg_dump writes tables, not the rows of a query';
  if (option !== undefined) return `pg_dump writes whole tables, and "${option}" selects`;
  if (kind !== 'table') return `pg_dump writes no rows for a ${kind}`;
  if (hasChildren) return 'pg_dump would leave out the rows of child tables';
  if (!canSelectTable) return 'pg_dump needs SELECT on the whole table, not on its columns';
  const generated = columns.find((column) => column.generated !== '');
  if (generated) return `pg_dump leaves out the generated column "${generated.name}"`;
  const char = columns.find(({ base: { type } }) => /^"char"(\[\])?$/.test(type));
  if (char && server.version < 150000)
    return `PostgreSQL 14 prints the bytes of "char" ("${char.name}") as they are`;
  const xml = columns.find(holdsXml);
  if (xml) return `pg_dump prints xml ("${xml.name}") without its declaration and a line break in front`;
  const money = columns.find(holdsMoney);
  return money && `pg_dump prints money ("${money.name}") in the locale of the server`;
}

/** As it is, in an array, or as a field of a type of the user. */
const holdsMoney = ({ base, typeDetail }: Column): boolean =>
  [base.type, base.element?.type].some((type) => type === 'money' || type === 'money[]') ||
  (typeDetail ?? []).some((part) => /^>?\..* money(\[\])?( of .*)?$/s.test(part));

const unfitPassword = ({ password }: Situation): string | undefined =>
  fitsPassfile(password) ? undefined : 'a password file cannot hold a password with a line break';
