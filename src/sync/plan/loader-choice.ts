/** pg_dump or COPY for a whole table, and why: pure. */
import type { Loader } from '../../events.ts';
import type { CopyCause } from '../../reasons.ts';
import { fitsPassfile } from '../../postgres/passfile.ts';
import type { ClientTools } from '../../postgres/client-tools.ts';
import { holdsXml, type Column } from '../../schema/columns.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { Relation } from '../../schema/relations.ts';
import { optionsOf, type Selection } from '../../schema/selection.ts';

export interface LoaderChoice {
  readonly loader: Loader;
  /** Why not pg_dump; undefined where it is pg_dump, or where COPY was the configured loader. */
  readonly cause: CopyCause | undefined;
  /** Whether the configuration asks for pg_dump by name. */
  readonly isAgainstWish: boolean;
}

export const BY_COPY: LoaderChoice = { loader: 'copy', cause: undefined, isAgainstWish: false };

/** Bytes up to which one more process, and its look at the whole catalog, take longer than the rows. */
const SMALL = 10_000_000;

/** Of a table that was never analyzed the catalog does not know the size. */
export const lacksSize = ({ kind, estimatedRows, bytes }: Relation): boolean =>
  kind === 'table' && estimatedRows === undefined && bytes === 0;

interface LoaderSituation {
  readonly wanted: Loader | 'auto';
  readonly source: Relation;
  readonly selection: Selection;
  readonly server: Pick<ServerIdentity, 'version' | 'isPooled'>;
  /** Undefined: not looked for yet, and taken to be there. */
  readonly tools: ClientTools | undefined;
  readonly password: string | undefined;
}

export function chooseLoader(situation: LoaderSituation): LoaderChoice {
  if (situation.wanted === 'copy') return BY_COPY;
  const cause =
    unfitServer(situation) ??
    unfitTools(situation) ??
    unfitRelation(situation) ??
    unfitPassword(situation) ??
    (isSmall(situation) ? ({ code: 'small-table' } as const) : undefined);
  return {
    loader: cause === undefined ? 'pg_dump' : 'copy',
    cause,
    isAgainstWish: cause !== undefined && situation.wanted === 'pg_dump',
  };
}

const isSmall = ({ wanted, source: { bytes } }: LoaderSituation): boolean =>
  wanted === 'auto' && bytes <= SMALL;

/**
 * pg_dump makes its settings before its transaction begins. In transaction pooling they land in sessions of other
 * people, an empty search_path among them, and its own transaction may run without them.
 */
const unfitServer = ({ server }: LoaderSituation): CopyCause | undefined =>
  server.isPooled ? { code: 'source-pooled' } : undefined;

/** Why pg_dump as it is installed cannot read that server. */
export function unfitTools({
  tools,
  server: { version },
}: Pick<LoaderSituation, 'tools' | 'server'>): CopyCause | undefined {
  if (!tools) return undefined;
  const { pgDump, pgRestore } = tools;
  const server = Math.floor(version / 10_000);
  if (pgDump === 'missing') return { code: 'program-missing', program: 'pg_dump' };
  if (pgRestore === 'missing') return { code: 'program-missing', program: 'pg_restore' };
  if (pgDump < server) return { code: 'pg-dump-too-old', version: pgDump, server };
  // Formats of archives are read by programs of the same version or a later one.
  return pgRestore < pgDump ? { code: 'pg-restore-too-old', version: pgRestore, pgDump } : undefined;
}

function unfitRelation({ source, selection, server }: LoaderSituation): CopyCause | undefined {
  const { kind, hasChildren, canSelectTable, columns } = source;
  const [option] = optionsOf(selection);
  if (option !== undefined) return { code: 'selection', setting: option };
  if (kind !== 'table') return { code: 'kind-without-rows', kind };
  if (hasChildren) return { code: 'child-tables' };
  if (!canSelectTable) return { code: 'column-privileges-only' };
  const generated = columns.find((column) => column.generated !== '');
  if (generated) return { code: 'generated-column', column: generated.name };
  const char = columns.find(({ base: { type } }) => /^"char"(\[\])?$/.test(type));
  if (char && server.version < 150000) return { code: 'char-column', column: char.name };
  const xml = columns.find(holdsXml);
  if (xml) return { code: 'xml-column', column: xml.name };
  const money = columns.find(holdsMoney);
  return money && { code: 'money-column', column: money.name };
}

/** As it is, in an array, or as a field of a type of the user. */
const holdsMoney = ({ base, typeDetail }: Column): boolean =>
  [base.type, base.element?.type].some((type) => type === 'money' || type === 'money[]') ||
  (typeDetail ?? []).some((part) => /^>?\..* money(\[\])?( of .*)?$/s.test(part));

const unfitPassword = ({ password }: LoaderSituation): CopyCause | undefined =>
  fitsPassfile(password) ? undefined : { code: 'password-with-line-break' };
