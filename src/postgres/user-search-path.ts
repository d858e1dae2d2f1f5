/** Runs statements that touch tables of users inside a transaction of increp (sql/search-path.ts). */
import pg from 'pg';
import {
  asUsual,
  messageOf,
  onTables,
  PINNED_PATH,
  shadowsOf,
  textOf,
  TO_USUAL_PATH,
  type Message,
  type Statement,
} from '../sql/search-path.ts';

/** Selects the answer to each statement from the results of everything that was sent for them. */
export function answersTo<Row extends pg.QueryResultRow>(
  { answersAt }: Pick<Message, 'answersAt'>,
  results: readonly pg.QueryResult<Row>[],
): pg.QueryResult<Row>[] {
  return answersAt.map((place) => {
    const answer = results[place];
    if (!answer) throw new Error('a statement was not answered');
    return answer;
  });
}

/** Sends statements without parameters in one message, each with its search path. */
export async function askTogether<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statements: readonly Statement[],
): Promise<pg.QueryResult<Row>[]> {
  const message = messageOf(statements);
  return answersTo(message, await queryEach<Row>(client, message.sent));
}

/** Several statements without parameters in one message: one result for each, in their order. */
export async function queryEach<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statements: readonly string[],
): Promise<pg.QueryResult<Row>[]> {
  const results: unknown = await client.query(statements.join('; '));
  return [results].flat() as pg.QueryResult<Row>[];
}

/** Sends one statement without parameters with its search path. */
export async function ask<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statement: Statement,
): Promise<pg.QueryResult<Row>> {
  const [answer] = await askTogether<Row>(client, [statement]);
  if (!answer) throw new Error('a statement was not answered');
  return answer;
}

/** Sends one statement without parameters with the usual search path. */
export const queryUsually = <Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statement: string,
): Promise<pg.QueryResult<Row>> => ask<Row>(client, onTables(statement));

/** Statements of increp that are sent in one message with the change of the search path. */
export interface Beside {
  readonly before?: readonly string[];
  readonly after?: readonly string[];
}

/** If the work fails, the transaction ends, or it rolls back to a savepoint and its search path. */
export async function onUsualPath<T>(
  client: pg.ClientBase,
  work: () => Promise<T>,
  { before = [], after = [] }: Beside = {},
): Promise<T> {
  await client.query([...before, TO_USUAL_PATH].join('; '));
  const result = await work();
  await client.query([PINNED_PATH, ...after].join('; '));
  return result;
}

/** SQLSTATEs for functions, tables, other objects and schemas that do not exist. */
export const isOfNames = (sqlstate: string): boolean => /^(42883|42P01|42704|3F000)$/.test(sqlstate);

/** A missing name inside a function. For a name in the statement itself, the error would have a position. */
export const isMissingInside = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.position === undefined && isOfNames(error.code ?? '');

const ATTEMPT = 'increp_attempt';

/**
 * A definition that the server has printed has its meaning under the pinned path. If a function inside it, or an
 * event trigger, does not find a name there, the definition is run again under the path of the role. This happens
 * only if no object on that path could be mistaken for a name in the definition. Statements of increp use this too if
 * a refusal must show full names.
 */
export async function queryPinnedFirst(client: pg.ClientBase, statement: Statement): Promise<void> {
  const isOurs = typeof statement !== 'string';
  const text = textOf(statement);
  try {
    await client.query(`SAVEPOINT ${ATTEMPT}; ${text}; RELEASE SAVEPOINT ${ATTEMPT}`);
  } catch (error) {
    await backAsUsual(client, isOurs ? undefined : text, error);
    await client.query(`${asUsual(text)}; RELEASE SAVEPOINT ${ATTEMPT}`);
  }
}

/** The extended protocol accepts only one statement. So text that another server has printed cannot contain a second one. */
export const inOneStatement = (text: string): pg.QueryConfig & { readonly queryMode: 'extended' } => ({
  text,
  queryMode: 'extended',
});

/** The same for a definition that another server has printed. */
export async function queryOnePinnedFirst(client: pg.ClientBase, text: string): Promise<void> {
  const statement = inOneStatement(text);
  await client.query(`SAVEPOINT ${ATTEMPT}`);
  try {
    await client.query(statement);
  } catch (error) {
    await backAsUsual(client, text, error);
    await onUsualPath(client, () => client.query(statement));
  }
  await client.query(`RELEASE SAVEPOINT ${ATTEMPT}`);
}

/** @throws the error, if the usual path does not help */
async function backAsUsual(client: pg.ClientBase, text: string | undefined, error: unknown): Promise<void> {
  if (!isMissingInside(error)) throw error;
  await client.query(`ROLLBACK TO SAVEPOINT ${ATTEMPT}`);
  if (text !== undefined && !(await meansTheSame(client, text))) throw error;
}

/**
 * Whether no name in this SQL of another origin could mean an object on the path of the role instead of one in
 * pg_catalog.
 */
export async function meansTheSame(client: pg.ClientBase, text: string): Promise<boolean> {
  const { rows } = await queryUsually<{ isShadowed: boolean }>(client, shadowsOf(text));
  return rows[0]?.isShadowed === false;
}
