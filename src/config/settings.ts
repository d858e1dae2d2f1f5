/** The settings that the rest of the program trusts. Every value is checked, and defaults are filled in. */

import type { DatabaseSide } from '../errors.ts';
import type { Deletes } from '../schema/deleted-rows.ts';
import type { TableName } from '../schema/names.ts';
import type { MergedColumn } from '../schema/merged-columns.ts';
import type { MetadataColumn } from '../schema/metadata-columns.ts';
import type { NamePattern } from '../schema/patterns.ts';
import type { Selection } from '../schema/selection.ts';
import type { ChunkSize } from './chunk-size.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export interface TlsSettings {
  readonly mode: SslMode;
  /** Paths of PEM files. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The passphrase of the key. */
  readonly keyPassword: string | undefined;
  /** The path of a PEM file with revoked certificates. */
  readonly crl: string | undefined;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** An authentication method of libpq that needs no GSSAPI or SSPI, or the absence of any. */
export type AuthMethod = 'password' | 'md5' | 'scram-sha-256' | 'none';

export interface SessionParameters {
  /** 0 means no limit. Undefined means the default of increp. */
  readonly connectTimeoutSeconds: number | undefined;
  /** Appended to the name that increp sets. */
  readonly applicationName: string | undefined;
  readonly channelBinding: 'disable' | 'prefer' | 'require' | undefined;
  /** The only authentication methods that increp accepts. Undefined means any. */
  readonly requireAuth: readonly AuthMethod[] | undefined;
  readonly sslNegotiation: 'postgres' | 'direct';
  readonly minTls: TlsVersion | undefined;
  readonly maxTls: TlsVersion | undefined;
  /** Whether the TLS handshake contains the name of the host. */
  readonly isHostSent: boolean;
  /** Settings for the server, as libpq sends them at the start of the session. */
  readonly options: string | undefined;
  /** The path of a password file that is used instead of the usual one. */
  readonly passfile: string | undefined;
  /** Whether several servers are tried in random order. */
  readonly isShuffled: boolean;
  /** The required kind of server. */
  readonly targetSession: 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';
  /** 0 means no probes. Undefined means the default of increp. */
  readonly keepAliveIdleSeconds: number | undefined;
  /** Parameters that only pg_dump gets, because the driver cannot set them. */
  readonly onlyForDump: readonly (readonly [name: string, value: string])[];
  /** Parameters that increp ignores. */
  readonly ignored: readonly string[];
}

export interface CredentialWait {
  /** The time limit of a password command. */
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}

/** The password of a connection, which may change during a run. */
export interface Credential {
  /** The last known password. Undefined if there is none, or if its command has not run yet. */
  readonly known: string | undefined;
  /** Where a password comes from that may change. Undefined if the password never changes, or if there is none. */
  readonly origin: string | undefined;
  /** The password for a new connection. Runs the password command if that is due. @throws IncrepError */
  readonly current: (wait: CredentialWait) => Promise<string | undefined>;
  /** Another password than the one that the server refused. Undefined if there is none. @throws IncrepError */
  readonly renewed: (refused: string | undefined, wait: CredentialWait) => Promise<string | undefined>;
}

export interface ServerAddress {
  readonly host: string;
  /** The IP address to connect to. The host is then used for TLS only. Undefined means that the host is looked up. */
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly credential: Credential;
}

/** An SSH server that forwards connections to the servers of a side. */
export interface Bastion {
  /** Undefined means that ssh decides. */
  readonly user: string | undefined;
  /** A name, an address, or a Host of ~/.ssh/config. */
  readonly host: string;
  readonly port: number | undefined;
  /** The program ssh and its options. */
  readonly command: readonly string[];
  /** The variable that names it, for messages. */
  readonly variable: string;
}

export interface ConnectionSettings extends ServerAddress {
  readonly side: DatabaseSide;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Servers to try after this one, in this order. */
  readonly otherServers: readonly ServerAddress[];
  readonly database: string;
  /** The schema of tables that do not name one. */
  readonly schema: string;
  /** False if the schema is the default. */
  readonly isSchemaGiven: boolean;
  /** Where its URL is set: `SOURCE_URL`, or `DEST_URLS`. Undefined if a variable for each part is set. */
  readonly urlFrom?: string;
  /** The variable or the file of its password: `SOURCE_PASSWORD_FILE`. Undefined if it has none, or one in the URL. */
  readonly passwordFrom?: string;
  readonly tls: TlsSettings;
  /** Undefined means that increp connects directly. */
  readonly bastion: Bastion | undefined;
  readonly parameters: SessionParameters;
}

export type InitialLoad = 'auto' | 'pg_dump' | 'copy';
export type OnSchemaChange = 'reset' | 'evolve' | 'fail';

/** Where the source records deleted rows. */
export type DeletionLog = {
  /** A timestamptz column: when the row was deleted. */
  readonly deletedAt: string;
} & (
  | {
      /** A star stands for the name of the source table. */
      readonly table: string;
      /** Undefined: the schema of the source table. */
      readonly schema: string | undefined;
    }
  | { readonly query: string }
);

export type InheritedKey = 'replication_key' | 'unique_cols';

/** One table's entry of tables-config.json, defaults filled in. */
export interface TableSettings {
  /** The name in messages: the name of the table, with its schema if that is not SOURCE_SCHEMA. */
  readonly name: string;
  readonly source: TableName;
  readonly destinationTable: string;
  /** Undefined if the entry does not name one. Then `destinationOf` computes it. */
  readonly destinationSchema: string | undefined;
  /** Its name at the destination. Undefined only in mode full-refresh, which needs no replication key. */
  readonly replicationKey: string | undefined;
  /** Names at the destination. Empty only in mode full-refresh. */
  readonly mergeKey: readonly string[];
  /** The keys that come from `defaults`. In mode full-refresh they count only if the table has such columns. */
  readonly inheritedKeys: readonly InheritedKey[];
  /** The rows and columns that are copied from the source. */
  readonly selection: Selection;
  readonly mode: 'incremental-deduped' | 'incremental-append' | 'full-refresh';
  readonly initialLoad: InitialLoad;
  /** Undefined means that a table is loaded in one piece. */
  readonly chunk: ChunkSize | undefined;
  /** The number of chunks that are loaded at the same time. */
  readonly loadJobs: number;
  readonly onSchemaChange: OnSchemaChange;
  /** How far below the cursor a window starts, in seconds. */
  readonly lookbackSeconds: number;
  readonly nullKeys: 'warn' | 'include';
  readonly deletes: Deletes;
  /** Whether a column that the source no longer has stays in the destination table. */
  readonly droppedColumns: 'drop' | 'keep';
  /** How often the keys of both sides are compared for deleted rows. */
  readonly deletesEverySeconds: number;
  /** Undefined: only a comparison of the keys finds deleted rows. */
  readonly deletionLog: DeletionLog | undefined;
  /**
   * The largest share of a table, 0 to 1, that one run may remove. Undefined in mode full-refresh if it is not set: then
   * a load may not empty the table.
   */
  readonly deleteLimit: number | undefined;
  /** Metadata columns of the destination table. */
  readonly metadataColumns: readonly MetadataColumn[];
  readonly onConflict: 'source_wins' | 'last_update_wins';
  /** Columns of existing rows that get a value from both sides. */
  readonly merge: readonly MergedColumn[];
  /** Whether conflicts are recorded at the destination. */
  readonly conflictLog: boolean;
  readonly conflictRetentionSeconds: number;
  /** Whether a full refresh is skipped while the source has not changed since the last one. */
  readonly skipUnchanged: boolean;
  /** Whether indexes of the source are created at the destination. */
  readonly indexes: 'ignore' | 'copy';
  /** Whether its keys, check constraints, foreign keys and defaults are. */
  readonly constraints: 'ignore' | 'copy';
  /** How user-defined types are copied. */
  readonly types: 'text' | 'native';
  /** Seconds after which `status` calls the destination table stale. */
  readonly maxStalenessSeconds: number | undefined;
  /** Seconds after which `status` calls it late. */
  readonly warnStalenessSeconds: number | undefined;
  readonly isEnabled: boolean;
  /** The pattern that matched this table, as it is written. Undefined for a table with an entry of its own. */
  readonly pattern: string | undefined;
  /** Why a table that a pattern matched cannot be synced beside the other tables. */
  readonly conflict: string | undefined;
}

/** An entry whose name contains a star. The source knows the matching tables. */
export interface TablePattern {
  /** The name in messages, with its schema if that is not SOURCE_SCHEMA. */
  readonly name: string;
  readonly schema: string;
  readonly names: NamePattern;
  /** Undefined if destination tables have the names of their source tables. */
  readonly copyNames: NamePattern | undefined;
  /** The number of tables with an entry of their own before this pattern. */
  readonly place: number;
  /** The options of each matching table. */
  readonly options: Omit<TableSettings, 'name' | 'source' | 'destinationTable' | 'pattern'>;
}

export interface WebhookSettings {
  readonly url: string;
  readonly secret: string | undefined;
  readonly events: readonly WebhookEventType[];
  readonly format: 'json' | 'slack';
}

export type WebhookEventType =
  'run.succeeded' | 'run.partial' | 'run.failed' | 'table.synced' | 'table.failed';

export interface RetrySettings {
  /** Including the first one. */
  readonly attempts: number;
  /** Before the first retry. Undefined means the default of increp. */
  readonly delaySeconds: number | undefined;
}

export interface LogSettings {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: 'auto' | 'pretty' | 'json';
}

/** One of several destinations. */
export interface NamedDestination {
  /** Also the name of its directory inside the state directory. */
  readonly name: string;
  readonly connection: ConnectionSettings;
  /** The place where its URL is written, for messages. */
  readonly origin: string;
}

export interface Settings {
  /** The pipeline's directory, absolute. */
  readonly directory: string;
  readonly pipeline: string;
  readonly source: ConnectionSettings;
  /** With several destinations, the first one or the current one. */
  readonly destination: ConnectionSettings;
  /** The name of the current destination. Undefined with one destination, or if the settings are for all of them. */
  readonly destinationLabel: string | undefined;
  /** All destinations if there are several; otherwise empty. */
  readonly destinations: readonly NamedDestination[];
  /** Without the tables of patterns, until `expandPatterns` has added them. */
  readonly tables: readonly TableSettings[];
  readonly patterns: readonly TablePattern[];
  /** The number of tables that a sync copies at the same time. */
  readonly jobs: number;
  /** Absolute. */
  readonly stateDirectory: string;
  /** How long a server may be silent during a statement before increp asks about it over another connection. */
  readonly stallTimeoutSeconds: number;
  readonly retry: RetrySettings;
  readonly webhook: WebhookSettings | undefined;
  /** Absolute path of the file for node_exporter. */
  readonly metricsTextfile: string | undefined;
  readonly healthcheckUrl: string | undefined;
  readonly log: LogSettings;
  /** All secrets, for redaction. The list grows when a password changes. */
  readonly secrets: readonly string[];
  /** Names that output shows although a secret may be equal to one of them. */
  readonly openNames: readonly string[];
  /** Warnings for the log and for `check`. */
  readonly warnings: readonly string[];
  /** The origin of each variable that is set: `.env`, `the environment`, a path. The rest are defaults. */
  readonly origins: Readonly<Record<string, string>>;
}

export type Connections = Pick<Settings, 'source' | 'destination' | 'destinations'>;
