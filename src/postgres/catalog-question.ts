/** Questions to the catalogs that share a message, because each round trip counts on a slow network. */
import type pg from 'pg';
import type { Statement } from '../sql/search-path.ts';
import { askTogether } from './user-search-path.ts';

/** A statement without parameters, and what its rows mean. */
export interface CatalogQuestion<T> {
  /** Undefined if the answer is known: then there are no rows. */
  readonly statement: Statement | undefined;
  readonly read: (rows: readonly unknown[]) => T;
}

type QuestionAnswers<Q extends readonly CatalogQuestion<unknown>[]> = {
  -readonly [K in keyof Q]: Q[K] extends CatalogQuestion<infer T> ? T : never;
};

/** In one message, or in none if every answer is known. */
export async function askAll<const Q extends readonly CatalogQuestion<unknown>[]>(
  client: pg.ClientBase,
  questions: Q,
): Promise<QuestionAnswers<Q>> {
  const statements = questions.flatMap(({ statement }) => statement ?? []);
  const answers = statements.length === 0 ? [] : await askTogether(client, statements);
  const rowsFor = ({ statement }: CatalogQuestion<unknown>): readonly unknown[] =>
    statement === undefined ? [] : (answers.shift()?.rows ?? []);
  return questions.map((question) => question.read(rowsFor(question))) as QuestionAnswers<Q>;
}
