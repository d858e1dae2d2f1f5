/** Findings about the two servers and the connections to them: pure. */
import { bastionName, throughWords } from '../config/connection/bastion.ts';
import type { ConnectionSettings } from '../config/settings.ts';
import { formatSeconds } from '../format.ts';
import type { Encryption } from '../postgres/driver.ts';
import { ident, literal } from '../sql/identifiers.ts';
import { OWN_TABLES } from '../sql/state.ts';
import { copyCause } from '../report/reasons.ts';
import { SET_CLOCK, wrongClockText } from '../sync/context/this-clock.ts';
import { unfitTools } from '../sync/plan/loader-choice.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import { sourceRoleFindings } from './source-role-findings.ts';

/** A second is normal. A larger difference makes `lookback` and ages misleading. */
const TOLERATED_SKEW_SECONDS = 2;
/** The newest major version of PostgreSQL that is tested. */
const NEWEST_TESTED = 18;

const numbered = (version: number) => `${Math.floor(version / 10_000)}.${version % 10_000}`;
const major = (version: number) => Math.floor(version / 10_000);

export interface SideConnections {
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
}

/** If a subscriber lacks a published table, its replication stops. Every run writes to the tables of increp. */
const publicationFindings = ({ publications }: Inspection): Finding[] =>
  [...publications].map(([schema, [name = '']]) =>
    warning(
      'PUBLISHED',
      undefined,
      `the publication "${name}" of the destination includes every table of schema "${schema}", so a subscriber that lacks one of them stops`,
      `Create these tables at the subscriber, including later tables and columns, and ${OWN_TABLES.join(', ')}. Or publish tables by name.`,
    ),
  );

/** Whether the function fails shows only when the trigger fires. */
const eventTriggerFindings = ({ eventTriggers }: Inspection): Finding[] =>
  eventTriggers.map(({ name, function: called, hasPath }) =>
    note(
      'EVENT_TRIGGER',
      undefined,
      `the event trigger ${ident(name)} of the destination calls ${called} when increp creates or alters a table; if the function fails, the sync fails`,
      hasPath
        ? undefined
        : `If the function uses names without a schema, set its search_path. At the destination, run: ALTER FUNCTION ${called} SET search_path = public`,
    ),
  );

/** A run creates the schema without a question, so a typing error would go unnoticed. */
const schemaFindings = ({ facts }: Inspection): Finding[] =>
  [...facts.schemas].flatMap(([schema, { access }]) =>
    access.exists || !access.canCreateSchema
      ? []
      : [
          note(
            'SCHEMA_MISSING',
            undefined,
            `the destination has no schema "${schema}" yet, and the first sync creates it`,
            'If the name is a typing error, correct DEST_SCHEMA or "dest_schema".',
          ),
        ],
  );

export function serverFindings(found: Inspection, connections: SideConnections): Finding[] {
  const { source, destination } = found.facts.servers;
  const { encryption, facts } = found;
  return [
    note(
      'SERVER_INFO',
      undefined,
      `source: PostgreSQL ${numbered(source.version)}, ${tlsWords(encryption.source)}${throughWords(connections.source)}; destination: PostgreSQL ${numbered(destination.version)}, ${tlsWords(encryption.destination)}${throughWords(connections.destination)}`,
    ),
    ...schemaFindings(found),
    ...tlsFindings(connections.source, encryption.source),
    ...tlsFindings(connections.destination, encryption.destination),
    ...untestedFindings('source', source.version),
    ...untestedFindings('destination', destination.version),
    ...(source.isStandby
      ? [
          warning(
            'STANDBY',
            undefined,
            'the source is a standby, which cannot show the open transactions of its primary, so only lookback finds late commits',
            'Use the primary as the source, or set "lookback" longer than the longest transaction there.',
          ),
        ]
      : []),
    ...(found.replay ? [warning('STANDBY_REPLAY', undefined, found.replay.what, found.replay.next)] : []),
    ...(found.writeRefusal ? [failureFinding(found.writeRefusal)] : []),
    ...eventTriggerFindings(found),
    ...(facts.tables.length > 0 ? sourceRoleFindings(found, connections.source) : []),
    ...(Math.abs(found.clockSkewSeconds) > TOLERATED_SKEW_SECONDS
      ? [
          warning(
            'CLOCK_SKEW',
            undefined,
            `the clocks of the two servers are ${formatSeconds(Math.abs(found.clockSkewSeconds))} apart`,
            'Synchronize both clocks with NTP.',
          ),
        ]
      : []),
    ...clockFindings(found),
    ...publicationFindings(found),
    ...transactionFindings(found),
    ...pgDumpFindings(found),
  ];
}

function clockFindings({ clockError }: Inspection): Finding[] {
  const text = wrongClockText(clockError);
  return text === undefined ? [] : [warning('CLOCK_SKEW', undefined, text, SET_CLOCK)];
}

const tlsWords = (encryption: Encryption | undefined): string =>
  encryption ? `${encryption.protocol} (${encryption.cipher})` : 'no TLS';

/** Sockets and loopback addresses, where no other machine can read the data. */
const isLocal = (host: string): boolean => host.startsWith('/') || /^(localhost|127\..*|::1)$/i.test(host);

function tlsFindings(connection: ConnectionSettings, encryption: Encryption | undefined): Finding[] {
  const { host, side, tls, bastion } = connection;
  if (isLocal(host)) return [];
  const prefix = side === 'source' ? 'SOURCE' : 'DEST';
  const verifyFully = `Set ${prefix}_SSLMODE=verify-full and ${prefix}_SSLROOTCERT to the root certificate of the server's authority`;
  if (!encryption)
    return [
      warning(
        'NOT_ENCRYPTED',
        undefined,
        bastion
          ? `the connection from the bastion ${bastionName(bastion)} to the ${side} at ${host} is not encrypted, so the network there can read and change the rows`
          : `the connection to the ${side} at ${host} is not encrypted, so the network can read and change the rows`,
        `${verifyFully}; the server needs "ssl = on" and a certificate.`,
      ),
    ];
  if (tls.mode === 'verify-full') return [];
  if (tls.rootCert === undefined)
    return [
      warning(
        'NOT_VERIFIED',
        undefined,
        `the connection to the ${side} at ${host} is encrypted, but increp accepts any certificate, so the server is not verified`,
        `${verifyFully}.`,
      ),
    ];
  return [
    note(
      'NOT_VERIFIED',
      undefined,
      `the certificate of the ${side} is verified, but not its host name ${host}`,
      `Set ${prefix}_SSLMODE=verify-full, unless that authority issues certificates only for your servers.`,
    ),
  ];
}

const untestedFindings = (side: string, version: number): Finding[] =>
  major(version) <= NEWEST_TESTED
    ? []
    : [
        note(
          'VERSION_UNTESTED',
          undefined,
          `the ${side} is PostgreSQL ${major(version)}; this version of increp is tested with 14 to ${NEWEST_TESTED}`,
          'Check for a newer version of increp. Run regularly: "increp verify".',
        ),
      ];

const transactionFindings = ({ longTransactions, preparedTransactions }: Inspection): Finding[] => [
  ...longTransactions.map(({ pid, user, seconds }) =>
    warning(
      'LONG_TRANSACTION',
      undefined,
      `the session with pid ${pid} (role ${user}) has a transaction open at the source for ${formatSeconds(seconds)}`,
      `Its rows are copied after it ends; until then each run warns. If it is not needed, run at the source: SELECT pg_terminate_backend(${pid})`,
    ),
  ),
  ...preparedTransactions.map(({ gid, owner, seconds }) =>
    warning(
      'PREPARED_TRANSACTION',
      undefined,
      `a transaction that ${owner} prepared at the source ${formatSeconds(seconds)} ago is still open, so its rows are missing and VACUUM waits for it`,
      `As ${owner}, run in that database: COMMIT PREPARED ${literal(gid)}, or ROLLBACK PREPARED ${literal(gid)}`,
    ),
  ),
];

function pgDumpFindings({ pgDump, facts }: Pick<Inspection, 'pgDump' | 'facts'>): Finding[] {
  if (!pgDump) return [];
  const server = facts.servers.source;
  const cause = unfitTools({ tools: pgDump.tools, server });
  const { pgDump: version } = pgDump.tools;
  const place = pgDump.path === undefined ? '' : ` (${pgDump.path})`;
  return cause === undefined
    ? [
        note(
          'PG_DUMP',
          undefined,
          `pg_dump ${typeof version === 'number' ? version : ''}${place} can read the source, PostgreSQL ${major(server.version)}`,
        ),
      ]
    : [
        note(
          'PG_DUMP',
          undefined,
          `${copyCause(cause)}${place}, so increp loads tables by COPY, with the same result`,
          `Install the PostgreSQL client programs of version ${major(server.version)} or later in the PATH, or set "initial_load" to "copy".`,
        ),
      ];
}
