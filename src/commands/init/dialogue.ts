/** `init` as a dialogue. It asks only for unknown settings, and tests each answer at once. */
import {
  homesOf,
  originOf,
  withAnswers,
  withoutAnswer,
  withSchemasOf,
  type Answers,
} from '../../config/answers.ts';
import type { DefaultSchemas } from '../../config/tables/raw-entry.ts';
import { listed } from '../../format.ts';
import type { ChosenAndLeftOut } from '../../init/choose-tables.ts';
import { configuredAmong, type FormerConfig } from '../../init/former-config.ts';
import { countText } from '../../init/propose-options.ts';
import type { SchemaSummary } from '../../init/read-tables.ts';
import {
  visitDestination,
  visitDestinationSchema,
  visitSource,
  visitSourceSchema,
  type Visit,
} from '../../init/test-connections.ts';
import { isSameDatabase } from '../../sync/context/known-destinations.ts';
import { askConnection, correctConnections } from './ask-connection.ts';
import { askDestinationSchema, askSchema } from './ask-schema.ts';
import { askTables } from './ask-tables.ts';
import {
  areProbablySwapped,
  directionWarnings,
  existingAmong,
  mayBeSwapped,
  refusedBy,
  suspectedSide,
} from './existing-tables.ts';
import type { Dialogue } from './going-back.ts';
import { gaveUp, type PromptChoice } from './prompts.ts';
import type { Setup } from './setup.ts';
import type { PlannedFile } from './write.ts';

interface GivenAndFiled {
  readonly given: Answers;
  /** The same without flags. */
  readonly filed: Answers;
  /** Undefined for a new pipeline. */
  readonly config: FormerConfig | undefined;
}

/** @throws IncrepError INTERRUPTED; no file is written then */
export async function setupByAsking(dialogue: Dialogue, known: GivenAndFiled, how: Visit): Promise<Setup> {
  dialogue.say(
    `${headOf(known.given, known.config !== undefined)}\nEsc: back one question. Ctrl-C: give up. Files are written only at the end.`,
  );
  return askSetup(dialogue, known, how);
}

async function askSetup(
  dialogue: Dialogue,
  { given, filed, config }: GivenAndFiled,
  how: Visit,
): Promise<Setup> {
  const forFile = (answers: Answers) => (config ? withSchemasOf(answers, filed) : answers);
  const { source, from } = await askSource(dialogue, given, how);
  const reached = { source, from };
  const { schema } = from.connection;
  const home = homesOf(forFile(from.answers)).source.schema;
  const toDestination = schema === home ? from.answers : withoutHomeSchema(from.answers, filed);
  const wanted = wantedSchemas(schema, homesOf(filed));
  let { destination, into } = await askDestination(dialogue, { given: toDestination, wanted }, reached, how);
  const servers = { source: source.identity, destination: destination.identity };
  const isOneDatabase = isSameDatabase(servers.source, servers.destination);
  const { tables, writable, writers, states } = from.side;
  const configured =
    config &&
    configuredAmong(
      config,
      { schema, home },
      tables.map(({ name, relation }) => ({ name, columns: relation.columns.map((column) => column.name) })),
    );
  let { chosen, leftOut, removed } = await askTables(dialogue, {
    tables,
    configured,
    addingCommand: how.addingCommand,
  });
  for (;;) {
    const sides = {
      answers: forFile(into.answers),
      source: from.connection,
      destination: into.connection,
      chosen,
    };
    const existing = await dialogue.once(() =>
      existingAmong({ ...sides, tables, sourceServer: servers.source }, how),
    );
    const setup = {
      ...sides,
      existing,
      leftOut,
      change: config && { former: config, removed },
      tables,
      writable,
      writers,
      areSwapped: areProbablySwapped({ states, existing, destinationServer: servers.destination }),
      isOneDatabase,
      schemas: source.schemas.map(({ name }) => name),
    };
    const warnings = directionWarnings(setup);
    if (warnings.length === 0) return setup;
    const isDoubtful = mayBeSwapped(setup);
    for (const { what } of warnings)
      dialogue.warn(`${what.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase())}.`);
    if (isDoubtful)
      dialogue.say(['Rows flow', `from ${source.description}`, `to   ${destination.description}`].join('\n'));
    const answer = await (isDoubtful ? askDirection : askAboutRefused)(dialogue, setup);
    if (answer.kind === 'continue') return setup;
    if (answer.kind === 'tables') ({ chosen, leftOut } = withoutRefused(setup));
    else if (answer.kind === 'pipeline')
      into = { ...into, answers: withAnswers(into.answers, { PIPELINE_NAME: answer.name }) };
    else if (answer.kind === 'connections') {
      const doubtful = { ...setup, suspected: suspectedSide(setup) };
      const corrected = await correctConnections(dialogue, into.answers, doubtful);
      return askSetup(dialogue, { given: corrected, filed, config }, how);
    } else {
      const request = { given: into.answers, wanted, refused: into.connection.schema };
      ({ destination, into } = await askDestination(dialogue, request, reached, how));
    }
  }
}

/** Tables of another schema may have the same names, so their schema at the destination is asked for. */
function withoutHomeSchema(answers: Answers, filed: Answers): Answers {
  const { origin } = answers.values.get('DEST_SCHEMA') ?? {};
  return origin === filed.values.get('DEST_SCHEMA')?.origin ? withoutAnswer(answers, 'DEST_SCHEMA') : answers;
}

/** Tables of another schema go where entries without a schema go, unless each schema has its own at the destination. */
function wantedSchemas(schema: string, { source, destination }: DefaultSchemas): readonly string[] {
  const isOwn = destination.isSchemaGiven && destination.schema !== source.schema;
  return isOwn ? [destination.schema, schema] : [schema];
}

interface DestinationRequest {
  readonly given: Answers;
  /** Proposed for the destination tables, best first. */
  readonly wanted: readonly string[];
  /** A schema that was refused, of a connection that works. */
  readonly refused?: string;
}

async function askSource(dialogue: Dialogue, given: Answers, how: Visit) {
  let answers = given;
  for (;;) {
    const { side, ...reached } = await askConnection(dialogue, answers, 'SOURCE', (settings) =>
      visitSource(settings, how),
    );
    dialogue.done(side.description);
    const from = await askSchema(
      dialogue,
      { given: reached.answers },
      'SOURCE',
      ({ former }) => askSourceSchema(dialogue, side.schemas, former),
      (_answers, settings) => visitSourceSchema(settings, how),
    );
    if (!('corrected' in from)) return { source: side, from };
    answers = from.corrected;
  }
}

type ReachedSource = Awaited<ReturnType<typeof askSource>>;

async function askDestination(
  dialogue: Dialogue,
  asked: DestinationRequest,
  { source, from }: ReachedSource,
  how: Visit,
) {
  let request = asked;
  for (;;) {
    const { side, answers } = await askConnection(dialogue, request.given, 'DEST', (settings) =>
      visitDestination(settings, how),
    );
    dialogue.done(side.description);
    const servers = { source: source.identity, destination: side.identity };
    if (isSameDatabase(servers.source, servers.destination))
      dialogue.warn(
        'Source and destination are the same database. To change the connection, press Esc. Or enter a schema other than that of the source.',
      );
    const into = await askSchema(
      dialogue,
      { ...request, given: answers },
      'DEST',
      (before) => askDestinationSchema(dialogue, before, { wanted: request.wanted, rights: side.rights }),
      (_answers, settings) =>
        visitDestinationSchema({ source: from.connection, destination: settings }, servers, how),
    );
    if (!('corrected' in into)) return { destination: side, into };
    request = { given: into.corrected, wanted: asked.wanted };
  }
}

const SIDES = { SOURCE: 'Source', DEST: 'Destination' } as const;

/** Says where the settings come from for which there is no question. */
function headOf(answers: Answers, isThere: boolean): string {
  const known = (['SOURCE', 'DEST'] as const).flatMap((prefix) => {
    const origin = originOf(answers, prefix);
    return origin === undefined ? [] : [{ side: SIDES[prefix], origin }];
  });
  const [first, second] = known;
  const origins =
    first && second && first.origin === second.origin
      ? [`Connections: from ${first.origin}`]
      : known.map(({ side, origin }) => `${side}: from ${origin}`);
  return [`${isThere ? 'Changing the pipeline' : 'A new pipeline'} in ${answers.directory}`, ...origins].join(
    '\n',
  );
}

const askSourceSchema = (
  dialogue: Dialogue,
  schemas: readonly SchemaSummary[],
  initial: string | undefined,
): Promise<string> =>
  schemas.length === 0
    ? dialogue.text({ message: 'Schema of the tables', initial, fallback: 'public' })
    : dialogue.choose({
        message: 'Schema of the tables',
        choices: schemas.map((schema) => ({
          value: schema.name,
          label: schema.name,
          hint: countText(schema),
        })),
        initial,
      });

type DirectionAnswer =
  | { readonly kind: 'continue' }
  | { readonly kind: 'schema' }
  | { readonly kind: 'connections' }
  | { readonly kind: 'pipeline'; readonly name: string }
  | { readonly kind: 'tables' };

function withoutRefused(setup: Setup): ChosenAndLeftOut {
  const refused = refusedBy(setup.existing);
  return {
    chosen: setup.chosen.filter(({ name }) => !refused.includes(name)),
    leftOut: [
      ...setup.leftOut,
      ...refused.map((name) => ({
        name,
        why: 'the destination has another table of this name',
        next: 'To copy the table, add it to tables-config.json with another "dest_name".',
      })),
    ],
  };
}

/** The ways to continue that `existing` allows. */
function waysFor({ chosen, existing }: Setup) {
  const refused = refusedBy(existing);
  const areOthers = chosen.some(({ name }) => !refused.includes(name));
  const [pipeline, ...pipelines] = new Set(existing.foreign.flatMap((table) => table.pipeline ?? []));
  return {
    refused: refused.length > 0 ? listed(refused, 3) : undefined,
    isLeavingOut: refused.length > 0 && areOthers,
    pipeline: pipelines.length === 0 ? pipeline : undefined,
  };
}

type AskedDirection = 'no' | DirectionAnswer['kind'];

const GIVE_UP = { value: 'no', label: 'Give up: write nothing' } as const;
const STOPPED = 'stopped: no pipeline was created';

/** If the two sides are swapped, a sync cannot undo the mistake. @throws IncrepError INTERRUPTED */
async function askDirection(dialogue: Dialogue, setup: Setup): Promise<DirectionAnswer> {
  const { refused, isLeavingOut, pipeline } = waysFor(setup);
  const answer = await dialogue.choose<AskedDirection>({
    message: 'Are source and destination correct?',
    choices: [
      { value: 'connections', label: 'No: correct the connections' },
      { value: 'continue', label: 'Yes: continue' },
      { value: 'schema', label: 'Yes, but write to another schema' },
      ...choicesIf(isLeavingOut, 'tables', `Yes, but leave out ${refused}`),
      ...choicesIf(pipeline !== undefined, 'pipeline', `Yes: this is pipeline "${pipeline}"`),
      GIVE_UP,
    ],
    initial: 'connections',
  });
  if (answer === 'no') throw gaveUp(STOPPED);
  return answerOf(answer, pipeline);
}

/** A sync refuses the tables, and nothing shows that the sides are swapped. @throws IncrepError INTERRUPTED */
async function askAboutRefused(dialogue: Dialogue, setup: Setup): Promise<DirectionAnswer> {
  const { refused, isLeavingOut, pipeline } = waysFor(setup);
  const answer = await dialogue.choose<AskedDirection>({
    message: `A sync refuses ${refused}. What do you want to do?`,
    choices: [
      ...choicesIf(pipeline !== undefined, 'pipeline', `This is pipeline "${pipeline}"`),
      ...choicesIf(isLeavingOut, 'tables', `Leave out ${refused}`),
      { value: 'schema', label: 'Write to another schema' },
      { value: 'continue', label: 'Continue: change the tables at the destination before the first sync' },
      { value: 'connections', label: 'Correct the connections' },
      GIVE_UP,
    ],
    initial: isLeavingOut ? 'tables' : 'schema',
  });
  if (answer === 'no') throw gaveUp(STOPPED);
  return answerOf(answer, pipeline);
}

const choicesIf = <T extends AskedDirection>(
  isOffered: boolean,
  value: T,
  label: string,
): PromptChoice<T>[] => (isOffered ? [{ value, label }] : []);

const answerOf = (kind: DirectionAnswer['kind'], name = ''): DirectionAnswer =>
  kind === 'pipeline' ? { kind, name } : { kind };

/** Asks before it overwrites a file. A refused file stays unchanged. */
export async function permitted(dialogue: Dialogue, files: readonly PlannedFile[]): Promise<PlannedFile[]> {
  const kept: PlannedFile[] = [];
  for (const file of files) {
    const mayReplace =
      file.change !== 'replace' ||
      (await dialogue.confirm({
        message: file.question ?? `${file.name} already exists. Replace it?`,
        initial: false,
      }));
    kept.push(mayReplace ? file : { ...file, change: 'none' });
  }
  return kept;
}
