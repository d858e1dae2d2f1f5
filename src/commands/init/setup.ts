/** The result of a dialogue or a command line: all that is needed to write the files. */
import type { Answers } from '../../config/answers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import type { ChosenTable, LeftOut } from '../../init/choose-tables.ts';
import type { FormerConfig } from '../../init/former-config.ts';
import type { ExistingTables } from '../../init/existing-tables.ts';
import type { TableProposal } from '../../init/propose-options.ts';
import type { SourceTables } from '../../init/read-tables.ts';
import type { GlobalOptions } from '../terminal/options.ts';

export interface InitOptions extends GlobalOptions {
  readonly sourceUrl?: string;
  readonly destUrl?: string;
  readonly sourceSchema?: string;
  readonly destSchema?: string;
  readonly pipelineName?: string;
  readonly tables: readonly string[];
  readonly allTables: boolean;
  readonly replicationKey: readonly string[];
  readonly uniqueCols: readonly string[];
  readonly fullRefresh: readonly string[];
  readonly yes: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

export interface ConfigChange {
  readonly former: FormerConfig;
  /** Tables whose entries are removed. */
  readonly removed: readonly string[];
}

export interface Setup {
  readonly answers: Answers;
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
  /** All tables of the source. */
  readonly tables: readonly TableProposal[];
  readonly chosen: readonly ChosenTable[];
  readonly leftOut: readonly LeftOut[];
  /** The change of an existing tables-config.json. Undefined if the file is written anew. */
  readonly change: ConfigChange | undefined;
  /** Destination tables that a sync would refuse. A state file of an earlier pipeline in this directory counts. */
  readonly existing: ExistingTables;
  /** Pipelines that write the source tables. */
  readonly writers: SourceTables['writers'];
  /** Whether the catalogs show that source and destination are probably swapped. */
  readonly areSwapped: boolean;
  readonly isOneDatabase: boolean;
  /** The schemas of the source with tables. */
  readonly schemas: readonly string[];
  /** Source tables that the role of increp could write to. */
  readonly writable: readonly string[];
}
