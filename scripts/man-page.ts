/** `man increp`, from what the commands, the variables and the errors say of themselves. */
import type { Option } from 'commander';
import { argumentOf, notesOf, type CommandDescription } from '../src/commands/descriptions/description.ts';
import { globalOptions } from '../src/commands/descriptions/global.ts';
import { COMMAND_GROUPS } from '../src/command-groups.ts';
import { FIRST_STEPS } from '../src/commands/descriptions/groups.ts';
import { commands } from '../src/commands/program/registry.ts';
import { SERVICE_VARIABLES, VARIABLES, type Variable } from '../src/config/environment/variables.ts';
import { version } from '../src/version.ts';
import { bold, entry, lines, paragraph, prose, roff, section, subsection } from './roff.ts';

interface Ending {
  readonly exitCode: number;
  readonly errorCode: string;
  readonly meaning: string;
}

const described = commands().map(({ description }) => description);
const inOrder = Object.values(COMMAND_GROUPS)
  .flat()
  .flatMap((name) => described.find((description) => description.name === name) ?? []);

export const manPage = (endings: readonly Ending[]): string =>
  `${[
    String.raw`.\" Written by scripts/generate-docs.ts; what it says stands in src/.`,
    `.TH INCREP 1 "" "increp ${version()}" "User Commands"`,
    // No hyphens in words that one searches for, and no gaps between words.
    '.nh',
    '.ad l',
    section('NAME', String.raw`increp \- incremental, exact copies of Postgres tables in another Postgres`),
    section('SYNOPSIS', `${bold('increp')} [options] ${String.raw`\fIcommand\fR`} [arguments]`),
    section('DESCRIPTION', ...DESCRIPTION.map((text) => paragraph(prose(text)))),
    section('COMMANDS', ...inOrder.map(commandPart)),
    section('GLOBAL OPTIONS', ...globalOptions().map(optionPart), ...OWN_OPTIONS),
    section('FILES', ...Object.entries(FILES).map(([name, meaning]) => entry(bold(name), prose(meaning)))),
    section(
      'ENVIRONMENT',
      paragraph(prose(ENVIRONMENT)),
      ...VARIABLES.map(variablePart),
      paragraph(prose(SERVICE_ENVIRONMENT)),
      ...SERVICE_VARIABLES.map(variablePart),
    ),
    section('EXIT STATUS', ...exitCodes(endings)),
    section('EXAMPLES', ...examples()),
    section('SEE ALSO', SEE_ALSO),
  ].join('\n')}\n`;

const DESCRIPTION = [
  'Keeps a copy of your Postgres tables in another Postgres: incremental, exact, with nothing but `SELECT` on the source. A pipeline is a directory with `.env` (where the databases are), `tables-config.json` (which tables) and `sync-state` (how far they are).',
  'Results are printed to standard output, all else to standard error. What went wrong is said with what to do next.',
];

const OWN_OPTIONS = [
  entry(bold('-V, --version'), 'print the version'),
  entry(bold('-h, --help'), roff('print help, also of a single command')),
];

const FILES: Readonly<Record<string, string>> = {
  '.env':
    'The settings of the pipeline, one `NAME=value` a line; see ENVIRONMENT. Keep it to yourself: `chmod 600 .env`.',
  'tables-config.json': 'The tables, each with its `name`, `replication_key` and `unique_cols`.',
  'sync-state/':
    'How far each table is, the history of runs and counters. The destination knows how far, so that it can be lost.',
};

const ENVIRONMENT =
  'These are read from the environment, else from `.env`. Any variable X can also be read from a file that X_FILE names, or from $CREDENTIALS_DIRECTORY/X. `INCREP_DIR` and `NO_COLOR` are read from the environment alone.';

const SERVICE_ENVIRONMENT =
  '`serve` and `work` read these from the environment alone. The variables of a pipeline begin with its name there, as in `SHOP_SOURCE_URL`.';

const SEE_ALSO = String.raw`.BR pg_dump (1),
.BR psql (1)
.PP
In the package: docs/README.md, docs/configuration.md, docs/guarantees.md, docs/exit\-codes.md.`;

function commandPart(description: CommandDescription): string {
  const argument = argumentOf(description);
  const words = ['increp', description.name, '[options]', argumentWord(description)];
  return subsection(
    words.filter(Boolean).join(' '),
    ...textPart(description.description),
    ...(argument ? [entry(bold(argument.name()), roff(`${argument.description}${notesOf(argument)}`))] : []),
    ...Object.values(description.options)
      .flat()
      .filter(({ hidden }) => !hidden)
      .map(optionPart),
  );
}

function argumentWord(description: CommandDescription): string {
  const argument = argumentOf(description);
  if (!argument) return '';
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** Paragraphs; an indented one stays as it is. */
const textPart = (text: string): string[] =>
  text
    .split('\n\n')
    .map((part) => (part.startsWith('  ') ? lines(part.replaceAll(/^ {2}/gm, '')) : paragraph(roff(part))));

const optionPart = (option: Option): string =>
  entry(bold(option.flags), roff(`${option.description}${notesOf(option)}`));

function variablePart(variable: Variable): string {
  const { name, meaning, example } = variable;
  const fallback = variable.isRequired
    ? 'required, or the URL'
    : (variable.default ?? variable.defaultInWords);
  const notes = [
    fallback === undefined ? '' : roff(` [default: ${fallback}]`),
    example === undefined ? '' : roff(` [example: ${example}]`),
  ];
  return entry(bold(name), `${prose(meaning)}${notes.join('')}`);
}

function exitCodes(endings: readonly Ending[]): readonly string[] {
  const codes = [...new Set(endings.map(({ exitCode }) => exitCode))];
  return codes.map((code) => {
    const meanings = endings
      .filter(({ exitCode }) => exitCode === code)
      .map(({ errorCode, meaning }) => prose(errorCode === '' ? meaning : `${errorCode}: ${meaning}`));
    return entry(bold(String(code)), meanings.join('\n.br\n'));
  });
}

function examples(): readonly string[] {
  const steps = FIRST_STEPS.flatMap((name) => described.find((known) => known.name === name) ?? []);
  return [
    ...steps.map(({ name, summary }) => entry(bold(`increp ${name}`), roff(summary))),
    ...inOrder.map(({ name, examples: all }) =>
      subsection(name, lines(all.map((example) => `increp ${example}`).join('\n'))),
    ),
  ];
}
