/** What the rest of the house may trust: every value here has been checked, defaulted and named in our own words. */

import type { ChunkSize } from './chunk-size.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export interface TlsSettings {
  readonly mode: SslMode;
  /** Paths of PEM files. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ConnectionSettings {
  readonly side: 'source' | 'destination';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly schema: string;
  readonly tls: TlsSettings;
}

export type InitialLoad = 'pg_dump' | 'copy';
/** What happens to rows that are gone from the source. */
export type Deletes = 'ignore' | 'hard' | 'soft';
export type OnSchemaChange = 'reset' | 'fail';

/** One table's entry of tables-config.json, defaults filled in. */
export interface TableSettings {
  readonly name: string;
  readonly destinationName: string;
  readonly replicationKey: string;
  readonly mergeKey: readonly string[];
  readonly mode: 'incremental-deduped';
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
  /** What carries user-defined types. */
  readonly types: 'text' | 'native';
  /** Seconds after which `status` calls the copy stale. */
  readonly maxStalenessSeconds: number | undefined;
  readonly isEnabled: boolean;
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
  readonly tables: readonly TableSettings[];
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
