/** Every command: its flags, its help, and the module that is loaded when it is called, and not before. */
import { Command, Option } from 'commander';
import { collect, durationArgument } from './options.ts';

/** What a command's module exports. */
export type CommandFunction = (
  tables: readonly string[],
  options: Record<string, unknown>,
) => Promise<number>;

interface Registered {
  readonly command: Command;
  /** The module's own option types are narrower: they are what the flags below produce. */
  readonly load: () => Promise<unknown>;
}

const flag = (flags: string, description: string): Option => new Option(flags, description).default(false);
const duration = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(durationArgument);
const exclude = (): Option =>
  new Option('--exclude <tables>', 'all but these (may be repeated)')
    .default([] as readonly string[], 'none')
    .argParser(collect);

interface Description {
  readonly summary: string;
  readonly description: string;
  /** Undefined for a command that takes no tables. */
  readonly tables?: string;
  readonly options: readonly Option[];
  readonly examples: readonly string[];
}

function describe(name: string, { summary, description, tables, options, examples }: Description): Command {
  const command = new Command(name).summary(summary).description(description);
  if (tables !== undefined) command.argument('[tables...]', tables);
  for (const option of options) command.addOption(option);
  return command.addHelpText(
    'after',
    `\nExamples:\n${examples.map((line) => `  $ increp ${line}`).join('\n')}`,
  );
}

export const commands = (): readonly Registered[] => [
  {
    command: describe('sync', {
      summary: 'bring the copies up to date',
      description:
        'Brings the copies up to date, table by table: loads what is missing, else copies what changed.',
      tables: 'only these tables (default: all of tables-config.json)',
      options: [
        exclude(),
        flag('--full-refresh', 'load the tables again from the start'),
        flag('--deletes', 'look for deleted rows now, in tables whose "deletes" is set'),
        flag('--force', 'remove deleted rows whatever their share of a table is'),
        flag('--verify', 'compare what was copied before it is committed'),
        flag('--fail-fast', 'stop at the first table that fails'),
        flag('-n, --dry-run', 'only say what would be done (the same as "increp plan")'),
        duration('--wait-lock <duration>', 'wait that long for another run of the same table').default(
          0,
          '0s',
        ),
        duration('--settle <duration>', 'wait at most that long for open transactions').default(5, '5s'),
        flag('--json', 'one JSON object a line on stdout, the summary last'),
        flag('-q, --quiet', 'print only what went wrong'),
        flag('-v, --verbose', 'log every step'),
      ],
      examples: [
        'sync',
        'sync orders customers',
        'sync --exclude events --json',
        'sync orders --full-refresh',
      ],
    }),
    load: async () => (await import('./sync.ts')).syncCommand,
  },
  {
    command: describe('plan', {
      summary: 'say what sync would do',
      description: 'Says what sync would do to each table, and why. Writes nothing anywhere.',
      tables: 'only these tables',
      options: [
        exclude(),
        flag('--full-refresh', 'as if sync were called with it'),
        flag('--deletes', 'as if sync were called with it'),
        flag('--exit-code', 'exit 2 where there is something to do'),
        flag('--json', 'one JSON document on stdout'),
      ],
      examples: ['plan', 'plan orders --json', 'plan --exit-code'],
    }),
    load: async () => (await import('./plan.ts')).planCommand,
  },
  {
    command: describe('check', {
      summary: 'look for trouble before it happens',
      description: 'Checks connections, privileges, tables and settings, and says how to mend what it finds.',
      tables: 'only these tables',
      options: [flag('--json', 'one JSON document on stdout')],
      examples: ['check', 'check orders', 'check --json'],
    }),
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    command: describe('status', {
      summary: 'say how fresh the copies are',
      description:
        'Says of each table how fresh its copy is and what went wrong last. Writes nothing anywhere.',
      tables: 'only these tables',
      options: [
        flag('--exit-code', 'exit 2 unless every table is ok'),
        flag('--json', 'one JSON document on stdout'),
      ],
      examples: ['status', 'status --exit-code', 'status --json'],
    }),
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    command: describe('verify', {
      summary: 'compare the copies with the source',
      description: 'Compares every row of both sides up to the cursor. Exits 2 on any difference that stays.',
      tables: 'only these tables',
      options: [
        flag('--repair', 'fetch or remove exactly the rows that differ, and compare again'),
        flag('--json', 'one JSON document on stdout'),
      ],
      examples: ['verify', 'verify orders --json', 'verify orders --repair'],
    }),
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  {
    command: describe('reset', {
      summary: 'load tables again at the next sync',
      description:
        'Forgets how far tables are, so that the next sync loads them again. The copies stay until then.',
      tables: 'these tables',
      options: [flag('--all', 'every table of tables-config.json')],
      examples: ['reset orders', 'reset --all'],
    }),
    load: async () => (await import('./reset.ts')).resetCommand,
  },
  {
    command: describe('demo', {
      summary: 'watch it work on two real servers',
      description: 'Starts two Postgres servers, fills one, syncs, changes things, syncs again and compares.',
      options: [flag('--keep', 'leave the servers running and say how to look at them')],
      examples: ['demo', 'demo --keep'],
    }),
    load: async () => (await import('./demo.ts')).demoCommand,
  },
];
