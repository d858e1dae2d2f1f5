/** A snapshot of the source as the work on one table sees it: its own, or one that it shares with other destinations. */
import type pg from 'pg';
import type { Statement } from '../../sql/search-path.ts';
import { importSnapshot } from '../../sql/session.ts';
import type { SharedSnapshot } from '../fan-out/shared-snapshot.ts';
import type { RunContext } from '../context/run-context.ts';

export interface SourceView {
  /** Something that is over soon. */
  readonly ask: <T>(question: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  /** What is done in view of it when the rows have come. */
  readonly look: <T>(work: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  readonly from: { readonly own: pg.ClientBase } | { readonly shared: SharedSnapshot };
}

interface WantedSnapshot {
  /** Tells all that decides what is read; undefined where nobody shares it. */
  readonly what: string | undefined;
  /** Asked when it is opened, in the same message. */
  readonly first: readonly Statement[];
  /** Whether `look` compares both sides: that takes long, and names cursors. */
  readonly isCompared: boolean;
}

export async function withView<T>(
  context: RunContext,
  { what, first, isCompared }: WantedSnapshot,
  read: (view: SourceView, answers: readonly pg.QueryResult[]) => Promise<T>,
): Promise<T> {
  const { moment } = context;
  if (moment) {
    const opened = [importSnapshot(moment.snapshot), ...first];
    return context.source.withSnapshot(opened, (source, { answers }) =>
      read(viewOf(source), answers.slice(1)),
    );
  }
  const shared = what === undefined ? undefined : await context.group?.snapshot(what, first);
  if (shared) {
    const ask: SourceView['ask'] = (question) => shared.ask(question);
    const look: SourceView['look'] = isCompared ? (use) => inOwnSession(context, shared, use) : ask;
    return read({ ask, look, from: { shared } }, await shared.answers());
  }
  return context.source.withSnapshot(first, (source, { answers }) => read(viewOf(source), answers));
}

function viewOf(source: pg.ClientBase): SourceView {
  const ask: SourceView['ask'] = (question) => question(source);
  return { ask, look: ask, from: { own: source } };
}

/** The same snapshot, in a session that nobody else waits for. */
const inOwnSession = async <T>(
  context: RunContext,
  shared: SharedSnapshot,
  use: (source: pg.ClientBase) => Promise<T>,
): Promise<T> =>
  context.source.withSnapshot([importSnapshot(await shared.exported())], (source) => use(source));
