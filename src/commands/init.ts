/** `increp init`: creates a pipeline that can be checked and run. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readAnswers, type Answers } from '../config/answers.ts';
import { resolveNewDirectory } from '../config/directory.ts';
import { readText } from '../config/files.ts';
import { configError, type Problem } from '../config/problems.ts';
import { readTablesFile } from '../config/tables/tables.ts';
import { openNamesOf, secretsOf } from '../config/environment/secrets.ts';
import type { Overrides } from '../config/environment/values.ts';
import { asIncrepError, IncrepError, reworded } from '../errors.ts';
import { otherOwner } from '../ownership.ts';
import { redactedJson, redactor } from '../redact.ts';
import { Tunnels } from '../postgres/tunnel/tunnels.ts';
import { isSample } from '../init/config-text.ts';
import type { Style } from '../report/style.ts';
import { triggerNote } from '../init/key-cautions.ts';
import { readFormerConfig } from '../init/former-config.ts';
import type { Visit } from '../init/test-connections.ts';
import { withoutSecrets } from '../pipeline/context.ts';
import {
  deletesNote,
  formatReport,
  reportJson,
  schemaNote,
  warningsOf,
  type InitReport,
} from './init/describe-result.ts';
import { setupFromFlags } from './init/scripted.ts';
import type { InitOptions, Setup } from './init/setup.ts';
import { addingCommand, sameCommand } from './init/typed-again.ts';
import { planFiles, writePlanned, type PlannedFile } from './init/write.ts';

export async function initCommand(_tables: readonly string[], options: InitOptions): Promise<number> {
  const { environment } = options;
  const directory = resolveNewDirectory(options);
  const answers = await readAnswers({ directory, environment, overrides: overridesOf(options) });
  await ensureExtendable(answers, options);
  const { signal, timing } = options;
  await using tunnels = new Tunnels([], { directory, environment, timing });
  const how = {
    pipeline: basename(directory),
    tunnels,
    signal,
    timing,
    addingCommand: addingCommand(options),
  };
  const redact = redactor(answers.secrets);
  try {
    const [setup, files] = isDialogue(options)
      ? await dialogue(
          { given: answers, filed: await readAnswers({ directory, environment, overrides: {} }) },
          how,
          options,
        )
      : await script(answers, how, options);
    options.signal.throwIfAborted();
    await writePlanned(setup, files);
    print(
      setup,
      { files, owner: await otherOwner(directory) },
      options,
      // The dialogue says it before its first question.
      isDialogue(options) || isUnchanged(files)
        ? undefined
        : await cloneNote(directory, options.terminal.style),
    );
    return 0;
  } catch (error) {
    const failure = asIncrepError(options.signal.aborted ? options.signal.reason : error);
    throw withoutSecrets(failure.code === 'INTERRUPTED' ? interrupted(failure, options) : failure, redact);
  }
}

/** Otherwise the user would learn at the end of the dialogue that the files cannot be written. */
async function ensureExtendable({ directory, values }: Answers, { force }: InitOptions): Promise<void> {
  const problems: Problem[] = [];
  const { destinations } = await readTablesFile(directory, (problem) => {
    if (problem.isAbsence !== true && problem.unreadable === undefined) problems.push(problem);
  });
  if (problems.length > 0 && !force) {
    const error = configError(problems, directory);
    throw reworded(error, {
      what: error.message,
      next: 'Correct the file, or add --force to write a new one in its place. Nothing was written.',
    });
  }
  const urls = values.get('DEST_URLS');
  const inFile = destinations === undefined || force ? undefined : '"destinations" in tables-config.json';
  const several = urls ? `DEST_URLS (${urls.origin})` : inFile;
  if (several !== undefined)
    throw new IncrepError('USAGE', {
      what: `${several} is for several destinations, and "init" works with one`,
      next: 'To add a table, write its entry into tables-config.json. For a new pipeline, use a directory and a shell without the list, and run "increp init". Then replace DEST_URL in .env by the list ("increp help several-destinations").',
    });
}

type Settled = readonly [setup: Setup, files: readonly PlannedFile[]];

async function script(answers: Answers, how: Visit, options: InitOptions): Promise<Settled> {
  const setup = await setupFromFlags(answers, options, how);
  return [setup, ensurePermitted(await planFiles(setup), options)];
}

async function dialogue(
  known: { readonly given: Answers; readonly filed: Answers },
  how: Visit,
  { terminal, force }: InitOptions,
): Promise<Settled> {
  const { directory } = known.given;
  const { openPrompts } = await import('./init/prompts.ts');
  const { withGoingBack } = await import('./init/going-back.ts');
  const { permitted, setupByAsking } = await import('./init/dialogue.ts');
  const prompts = await openPrompts(terminal, how.signal);
  const { text = '' } = await readText(join(directory, 'tables-config.json'));
  const config = isSample(text) || force ? undefined : readFormerConfig(text.replace(/^\uFEFF/, ''));
  const aboutClone = await cloneNote(directory, terminal.style);
  if (aboutClone !== undefined) prompts.warn(aboutClone);
  const settled = await withGoingBack(prompts, async (asking) => {
    const setup = await setupByAsking(asking, { ...known, config }, how);
    const planned = await planFiles(setup);
    return [setup, force ? planned : await permitted(asking, planned)] as const;
  });
  terminal.say('\n');
  return settled;
}

/** increp asks questions only if the user can see them. */
function isDialogue({ yes, json, environment: { CI, TERM }, terminal }: InitOptions): boolean {
  const { isStdinTerminal, isStdoutTerminal, isStderrTerminal } = terminal;
  const isOnTerminal = isStdinTerminal && isStdoutTerminal && isStderrTerminal;
  return !yes && !json && !CI && TERM !== 'dumb' && isOnTerminal;
}

const overridesOf = (options: InitOptions): Overrides => ({
  ...(options.sourceUrl && { SOURCE_URL: options.sourceUrl }),
  ...(options.destUrl && { DEST_URL: options.destUrl }),
  ...(options.sourceSchema && { SOURCE_SCHEMA: options.sourceSchema }),
  ...(options.destSchema && { DEST_SCHEMA: options.destSchema }),
  ...(options.pipelineName && { PIPELINE_NAME: options.pipelineName }),
});

function ensurePermitted(files: readonly PlannedFile[], options: InitOptions): readonly PlannedFile[] {
  const names = files.filter(({ change }) => change === 'replace').map(({ name }) => name);
  if (options.force || names.length === 0) return files;
  throw new IncrepError('USAGE', {
    what: `${names.join(' and ')} would be overwritten`,
    next: `Nothing was written. Add --force to overwrite the files, or name another directory with -C.${
      names.includes('tables-config.json')
        ? ` To add a table and keep the other entries, add its entry to tables-config.json, or use a terminal: "${addingCommand(options)}".`
        : ''
    }`,
  });
}

const isUnchanged = (files: readonly PlannedFile[]): boolean =>
  files.every(({ name, change }) => name !== 'tables-config.json' || change === 'none');

/** In a clone of increp, git tracks the example in tables-config.json. */
async function cloneNote(directory: string, { typedCommand }: Style): Promise<string | undefined> {
  if (!existsSync(join(directory, '.git'))) return undefined;
  const { text = '' } = await readText(join(directory, 'package.json'));
  if (!/^\s*"name": *"increp"/m.test(text)) return undefined;
  // The command of the help names no directory.
  const elsewhere = (typedCommand?.('help') ?? 'increp help').replace(/help$/, '-C ~/shop init');
  return `Git tracks tables-config.json here, because the directory is a clone of increp, so a later "git pull" may stop at it. To keep the pipeline apart from the program, name another directory: "${elsewhere}". To move this pipeline: "increp help 'A pipeline in the clone'".`;
}

function print(
  setup: Setup,
  written: Pick<InitReport, 'files' | 'owner'>,
  options: InitOptions,
  aboutClone: string | undefined,
): void {
  const { terminal, json } = options;
  const aboutTriggers = isDialogue(options) ? undefined : triggerNote(setup.chosen, setup.tables);
  const report = {
    setup,
    ...written,
    warnings: warningsOf(setup),
    notes: [aboutTriggers, deletesNote(setup), schemaNote(setup), aboutClone].filter(
      (note) => note !== undefined,
    ),
    next: terminal.style.typedCommand?.('check') ?? 'increp check',
  };
  const redact = redactor(secretsOf(setup, setup.answers.values), openNamesOf(setup));
  terminal.out(
    json ? redactedJson(reportJson(report), redact) : redact(formatReport(report, terminal.style)),
  );
}

const interrupted = (failure: IncrepError, options: InitOptions): IncrepError =>
  reworded(failure, {
    what: failure.message,
    next: `Nothing was written. To start again, run "${sameCommand(options)}".`,
  });
