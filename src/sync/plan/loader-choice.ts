/** Chooses pg_dump or COPY for the load of a whole table, and says why. Pure. */
import type { SessionParameters } from '../../config/settings.ts';
import type { Loader } from '../../events.ts';
import type { CopyCause } from '../../reasons.ts';
import { fitsPassfile } from '../../postgres/passfile.ts';
import type { ClientTools, ToolVersion } from '../../postgres/client-tools.ts';
import { holdsXml, type Column } from '../../schema/columns.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { Relation } from '../../schema/relations.ts';
import { optionsOf, type Selection } from '../../schema/selection.ts';

export interface LoaderChoice {
  readonly loader: Loader;
  /** Why pg_dump is not used. Undefined if it is used, or if COPY is the configured loader. */
  readonly cause: CopyCause | undefined;
  /** Whether the configuration asks for pg_dump by name. */
  readonly isAgainstWish: boolean;
}

export const BY_COPY: LoaderChoice = { loader: 'copy', cause: undefined, isAgainstWish: false };

/** Bytes. Below this size, starting pg_dump and its queries on the whole catalog take longer than the rows. */
export const SMALL_BYTES = 10_000_000;

/** The catalog does not know the size of a table that was never analyzed. */
export const lacksSize = ({ kind, estimatedRows, bytes }: Relation): boolean =>
  kind === 'table' && estimatedRows === undefined && bytes === 0;

interface LoaderSituation {
  readonly wanted: Loader | 'auto';
  readonly source: Relation;
  readonly selection: Selection;
  /** Whether the table has a column of another pipeline, which is not copied. */
  readonly hasRowVersions: boolean;
  readonly server: Pick<ServerIdentity, 'version' | 'isPooled'>;
  /** Undefined if not known yet. They count as installed then. */
  readonly tools: ClientTools | undefined;
  readonly password: string | undefined;
  readonly parameters: Pick<SessionParameters, 'requireAuth' | 'sslNegotiation'>;
}

export function chooseLoader(situation: LoaderSituation): LoaderChoice {
  if (situation.wanted === 'copy') return BY_COPY;
  const cause =
    unfitServer(situation) ??
    unfitTools(situation) ??
    unfitParameters(situation) ??
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
  wanted === 'auto' && bytes <= SMALL_BYTES;

/**
 * pg_dump makes its settings before its transaction begins. With transaction pooling they reach sessions of other
 * clients, an empty search_path among them, and the transaction of pg_dump may run without them.
 */
const unfitServer = ({ server }: LoaderSituation): CopyCause | undefined =>
  server.isPooled ? { code: 'source-pooled' } : undefined;

/** Why the installed pg_dump or pg_restore cannot be used with that server. */
export function unfitTools({
  tools,
  server: { version },
}: Pick<LoaderSituation, 'tools' | 'server'>): CopyCause | undefined {
  if (!tools) return undefined;
  const { pgDump, pgRestore } = tools;
  const server = Math.floor(version / 10_000);
  if (typeof pgDump !== 'number') return unusable('pg_dump', pgDump);
  if (typeof pgRestore !== 'number') return unusable('pg_restore', pgRestore);
  if (pgDump < server) return { code: 'pg-dump-too-old', version: pgDump, server };
  // pg_restore reads only archives that pg_dump of the same version or an earlier one has written.
  return pgRestore < pgDump ? { code: 'pg-restore-too-old', version: pgRestore, pgDump } : undefined;
}

const unusable = (program: 'pg_dump' | 'pg_restore', found: Exclude<ToolVersion, number>): CopyCause =>
  found === 'missing'
    ? { code: 'program-missing', program }
    : { code: 'program-unusable', program, ...found };

/** The first version of libpq with a parameter. */
const SINCE = { require_auth: 16, sslnegotiation: 17 } as const;

function unfitParameters({ tools, parameters }: LoaderSituation): CopyCause | undefined {
  const used = [
    ...(parameters.requireAuth ? (['require_auth'] as const) : []),
    ...(parameters.sslNegotiation === 'direct' ? (['sslnegotiation'] as const) : []),
  ];
  const version = tools?.pgDump;
  if (typeof version !== 'number') return undefined;
  const parameter = used.find((name) => version < SINCE[name]);
  return parameter && { code: 'parameter-too-new', parameter, version };
}

function unfitRelation({
  source,
  selection,
  hasRowVersions,
  server,
}: LoaderSituation): CopyCause | undefined {
  const { kind, hasChildren, keptBy, canSelectTable, columns } = source;
  const [option] = optionsOf(selection);
  if (option !== undefined) return { code: 'selection', setting: option };
  if (hasRowVersions) return { code: 'row-versions' };
  if (kind !== 'table') return { code: 'kind-without-rows', kind };
  if (keptBy !== null) return { code: 'extension-table', extension: keptBy };
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

/** `money` itself, an array of it, or a field of a user-defined type. */
const holdsMoney = ({ base, typeDetail }: Column): boolean =>
  [base.type, base.element?.type].some((type) => type === 'money' || type === 'money[]') ||
  (typeDetail ?? []).some((part) => /^>?\..* money(\[\])?( of .*)?$/s.test(part));

const unfitPassword = ({ password }: LoaderSituation): CopyCause | undefined =>
  fitsPassfile(password) ? undefined : { code: 'password-with-line-break' };
