/** Questions to the catalogs that share a message, because each round trip counts on a slow network. */
import type pg from 'pg';
import type { Statement } from '../sql/search-path.ts';
import { askTogether } from './user-search-path.ts';

/** A statement without parameters, or two of them, and what their rows mean. */
export interface CatalogQuestion<T> {
  /** Undefined if the answer is known: then there are no rows. */
  readonly statement: Statement | undefined;
  /** Asked only together with `statement`. */
  readonly second?: Statement;
  readonly read: (rows: readonly unknown[], ofSecond?: readonly unknown[]) => T;
}

type QuestionAnswers<Q extends readonly CatalogQuestion<unknown>[]> = {
  -readonly [K in keyof Q]: Q[K] extends CatalogQuestion<infer T> ? T : never;
};

/** In one message, or in none if every answer is known. */
export async function askAll<const Q extends readonly CatalogQuestion<unknown>[]>(
  client: pg.ClientBase,
  questions: Q,
): Promise<QuestionAnswers<Q>> {
  const asked = ({ statement, second }: CatalogQuestion<unknown>): Statement[] =>
    statement === undefined ? [] : [statement, ...(second === undefined ? [] : [second])];
  const statements = questions.flatMap(asked);
  const answers = statements.length === 0 ? [] : await askTogether(client, statements);
  const read = (question: CatalogQuestion<unknown>): unknown => {
    const [rows = [], ofSecond = []] = asked(question).map(() => answers.shift()?.rows);
    return question.read(rows, ofSecond);
  };
  return questions.map(read) as QuestionAnswers<Q>;
}
