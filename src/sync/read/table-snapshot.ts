/** The snapshot in which one table is read: a separate snapshot, or a snapshot that several destinations share. */
import type pg from 'pg';
import type { Statement } from '../../sql/search-path.ts';
import { importSnapshot } from '../../sql/session.ts';
import type { SharedSnapshot } from '../fan-out/shared-snapshot.ts';
import type { RunContext } from '../context/run-context.ts';

export interface SourceView {
  /** Runs a short query. */
  readonly query: <T>(question: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  /** Runs the work that needs the snapshot after the rows were copied. */
  readonly afterCopy: <T>(work: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  readonly from: { readonly own: pg.ClientBase } | { readonly shared: SharedSnapshot };
}

interface WantedSnapshot {
  /** Describes everything that decides what is read; undefined if the snapshot is not shared. */
  readonly selectionKey: string | undefined;
  /** Statements that are sent in the same message that opens the snapshot. */
  readonly first: readonly Statement[];
  /** Whether `afterCopy` compares both sides. That takes long and uses cursors with fixed names, so it needs a separate session. */
  readonly isCompared: boolean;
}

export async function withView<T>(
  context: RunContext,
  { selectionKey, first, isCompared }: WantedSnapshot,
  read: (view: SourceView, answers: readonly pg.QueryResult[]) => Promise<T>,
): Promise<T> {
  const { fencedSnapshot } = context;
  if (fencedSnapshot) {
    const opened = [importSnapshot(fencedSnapshot.snapshot), ...first];
    return context.source.withSnapshot(opened, (source, { answers }) =>
      read(viewOf(source), answers.slice(1)),
    );
  }
  const shared = selectionKey === undefined ? undefined : await context.group?.snapshot(selectionKey, first);
  if (shared) {
    const query: SourceView['query'] = (question) => shared.query(question);
    const afterCopy: SourceView['afterCopy'] = isCompared
      ? (use) => inOwnSession(context, shared, use)
      : query;
    return read({ query, afterCopy, from: { shared } }, await shared.answers());
  }
  return context.source.withSnapshot(first, (source, { answers }) => read(viewOf(source), answers));
}

function viewOf(source: pg.ClientBase): SourceView {
  const query: SourceView['query'] = (question) => question(source);
  return { query, afterCopy: query, from: { own: source } };
}

/** Imports the snapshot into a separate session, so that the other destinations do not wait. */
const inOwnSession = async <T>(
  context: RunContext,
  shared: SharedSnapshot,
  use: (source: pg.ClientBase) => Promise<T>,
): Promise<T> =>
  context.source.withSnapshot([importSnapshot(await shared.exported())], (source) => use(source));
