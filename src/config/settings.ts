/** What the rest of the house may trust: every value here has been checked, defaulted and named in our own words. */

import type { TableName } from '../schema/names.ts';
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
}

export interface SessionParameters {
  /** 0: none. Undefined: increp's own. */
  readonly connectTimeoutSeconds: number | undefined;
  /** Shown behind increp's own. */
  readonly applicationName: string | undefined;
  readonly channelBinding: 'disable' | 'prefer' | 'require' | undefined;
  readonly sslNegotiation: 'postgres' | 'direct';
  /** What the server has to be. */
  readonly targetSession: 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';
  /** 0: no probes. Undefined: increp's own. */
  readonly keepAliveIdleSeconds: number | undefined;
  /** Parameters that mean nothing here. */
  readonly ignored: readonly string[];
}

export interface ConnectionSettings {
  readonly side: 'source' | 'destination';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  /** Of tables that do not say otherwise. */
  readonly schema: string;
  /** False: nobody has said it, and it is the default. */
  readonly isSchemaGiven: boolean;
  readonly tls: TlsSettings;
  readonly parameters: SessionParameters;
}

export type InitialLoad = 'auto' | 'pg_dump' | 'copy';
/** What happens to rows that are gone from the source. */
export type Deletes = 'ignore' | 'hard' | 'soft';
export type OnSchemaChange = 'reset' | 'evolve' | 'fail';

/** One table's entry of tables-config.json, defaults filled in. */
export interface TableSettings {
  /** What people call it: the table's name, behind its schema where that is not SOURCE_SCHEMA. */
  readonly name: string;
  readonly source: TableName;
  readonly destinationName: string;
  /** Undefined: the table does not say, and `destinationOf` knows. */
  readonly destinationSchema: string | undefined;
  /** Undefined only in mode full-refresh, which needs none. */
  readonly replicationKey: string | undefined;
  /** Empty only in mode full-refresh. */
  readonly mergeKey: readonly string[];
  /** What of the source is copied. */
  readonly selection: Selection;
  readonly mode: 'incremental-deduped' | 'incremental-append' | 'full-refresh';
  readonly initialLoad: InitialLoad;
  /** Undefined: a whole table in one go. */
  readonly chunk: ChunkSize | undefined;
  /** How many chunks at the same time. */
  readonly loadJobs: number;
  readonly onSchemaChange: OnSchemaChange;
  /** How far below the cursor a window starts, in seconds. */
  readonly lookbackSeconds: number;
  readonly nullKeys: 'warn' | 'include';
  readonly deletes: Deletes;
  /** How often both sides are compared for deleted rows. */
  readonly deletesEverySeconds: number;
  /** The largest share of a table, 0 to 1, that one run may remove. */
  readonly deleteLimit: number;
  /** Columns of ours beside those of the source. */
  readonly metadataColumns: readonly MetadataColumn[];
  readonly onConflict: 'source_wins' | 'last_update_wins';
  /** Whether a full refresh is left out while the source holds what the last one has read. */
  readonly skipUnchanged: boolean;
  /** What carries user-defined types. */
  readonly types: 'text' | 'native';
  /** Seconds after which `status` calls the copy stale. */
  readonly maxStalenessSeconds: number | undefined;
  readonly isEnabled: boolean;
  /** The one that has found it, as it is written; undefined for a table with an entry of its own. */
  readonly pattern: string | undefined;
  /** Why what a pattern has found cannot have a copy beside the others. */
  readonly conflict: string | undefined;
}

/** An entry whose name has a star: which tables it stands for, the source knows. */
export interface TablePattern {
  /** As people write it, behind its schema where that is not SOURCE_SCHEMA. */
  readonly name: string;
  readonly schema: string;
  readonly names: NamePattern;
  /** Undefined: the copies are called like the tables. */
  readonly copyNames: NamePattern | undefined;
  /** How many tables with an entry of their own stand before it. */
  readonly place: number;
  /** Of each of its tables. */
  readonly options: Omit<TableSettings, 'name' | 'source' | 'destinationName' | 'pattern'>;
}

export interface WebhookSettings {
  readonly url: string;
  readonly secret: string | undefined;
  readonly events: readonly WebhookEventType[];
  readonly format: 'json' | 'slack';
}

export type WebhookEventType =
  'run.succeeded' | 'run.partial' | 'run.failed' | 'table.synced' | 'table.failed';

export interface LogSettings {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: 'auto' | 'pretty' | 'json';
}

/** One of several destinations. */
export interface NamedDestination {
  /** Also of its directory below that of the state. */
  readonly name: string;
  readonly connection: ConnectionSettings;
  /** For people: where its URL is written. */
  readonly origin: string;
}

export interface Settings {
  /** The pipeline's directory, absolute. */
  readonly directory: string;
  readonly pipeline: string;
  readonly source: ConnectionSettings;
  /** Of several, the first one, or the one that this is about. */
  readonly destination: ConnectionSettings;
  /** Of the one that this is about; undefined where the pipeline has one, or where this is about all of them. */
  readonly destinationName: string | undefined;
  /** Where the pipeline has several; empty otherwise. */
  readonly destinations: readonly NamedDestination[];
  /** Without those of the patterns, until `expandPatterns` has found them. */
  readonly tables: readonly TableSettings[];
  readonly patterns: readonly TablePattern[];
  /** Absolute. */
  readonly stateDirectory: string;
  /** How long a server may be silent when it is its turn, before it is asked over another connection. */
  readonly stallTimeoutSeconds: number;
  readonly webhook: WebhookSettings | undefined;
  /** Absolute path of the file for node_exporter. */
  readonly metricsTextfile: string | undefined;
  readonly healthcheckUrl: string | undefined;
  readonly log: LogSettings;
  /** Every secret that must never be printed, for redaction. */
  readonly secrets: readonly string[];
  /** Oddities that are not errors, for the log and for `check`. */
  readonly warnings: readonly string[];
  /** Where each variable that is set got its value: `.env`, `the environment`, a path. The rest are defaults. */
  readonly origins: Readonly<Record<string, string>>;
}

export type Connections = Pick<Settings, 'source' | 'destination' | 'destinations'>;
