/** Statements that touch tables of people, within a transaction of ours (sql/search-path.ts). */
import pg from 'pg';
import {
  answerAt,
  asUsual,
  onTables,
  PINNED_PATH,
  shadowsOf,
  statementsOf,
  textOf,
  TO_USUAL_PATH,
  type Statement,
} from '../sql/search-path.ts';

/** The answer to each statement, of all results of what was sent for them. */
export function answersTo<Row extends pg.QueryResultRow>(
  statements: readonly Statement[],
  results: readonly pg.QueryResult<Row>[],
): pg.QueryResult<Row>[] {
  let from = 0;
  return statements.map((statement) => {
    const answer = results[from + answerAt(statement)];
    if (!answer) throw new Error('a statement was not answered');
    from += statementsOf(statement).length;
    return answer;
  });
}

/** Statements without parameters in one message, each under the path that it is for. */
export async function askTogether<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statements: readonly Statement[],
): Promise<pg.QueryResult<Row>[]> {
  return answersTo(statements, await queryEach<Row>(client, statements.flatMap(statementsOf)));
}

/** Several statements without parameters in one message: one result for each, in their order. */
export async function queryEach<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statements: readonly string[],
): Promise<pg.QueryResult<Row>[]> {
  const results: unknown = await client.query(statements.join('; '));
  return [results].flat() as pg.QueryResult<Row>[];
}

/** One statement without parameters, under the path that it is for. */
export async function ask<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statement: Statement,
): Promise<pg.QueryResult<Row>> {
  const [answer] = await askTogether<Row>(client, [statement]);
  if (!answer) throw new Error('a statement was not answered');
  return answer;
}

/** One statement without parameters. */
export const queryUsually = <Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.ClientBase,
  statement: string,
): Promise<pg.QueryResult<Row>> => ask<Row>(client, onTables(statement));

/** What fails ends the transaction, or goes back to a savepoint and to the path of that moment. */
export async function onUsualPath<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query(TO_USUAL_PATH);
  const result = await work();
  await client.query(PINNED_PATH);
  return result;
}

/** SQLSTATEs of functions, tables, other objects and schemas that are not there. */
export const isOfNames = (sqlstate: string): boolean => /^(42883|42P01|42704|3F000)$/.test(sqlstate);

/** A name that is not found, and not one of the statement itself: that would have a place in it. */
export const isMissingInside = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.position === undefined && isOfNames(error.code ?? '');

const ATTEMPT = 'increp_attempt';

/**
 * A definition that the server has printed means what it meant under the pinned path. Only where a function within it, or an
 * event trigger, finds nothing there, it is read under the path of the role, and only if nothing on that path could be taken
 * for something that the definition names. Statements of ours come this way where a refusal has to name things in full.
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

/** The same for a definition that another server has printed: the extended protocol accepts only one statement. */
export async function queryOnePinnedFirst(client: pg.ClientBase, text: string): Promise<void> {
  const statement = { text, queryMode: 'extended' };
  await client.query(`SAVEPOINT ${ATTEMPT}`);
  try {
    await client.query(statement);
  } catch (error) {
    await backAsUsual(client, text, error);
    await onUsualPath(client, () => client.query(statement));
  }
  await client.query(`RELEASE SAVEPOINT ${ATTEMPT}`);
}

/** @throws the error, where the usual path is no help */
async function backAsUsual(client: pg.ClientBase, text: string | undefined, error: unknown): Promise<void> {
  if (!isMissingInside(error)) throw error;
  await client.query(`ROLLBACK TO SAVEPOINT ${ATTEMPT}`);
  if (text !== undefined && !(await meansTheSame(client, text))) throw error;
}

/** Whether SQL that is not ours names nothing that the path of the role has outside of pg_catalog. */
export async function meansTheSame(client: pg.ClientBase, text: string): Promise<boolean> {
  const { rows } = await queryUsually<{ isShadowed: boolean }>(client, shadowsOf(text));
  return rows[0]?.isShadowed === false;
}
