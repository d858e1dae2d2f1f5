/** The snapshot in which one table is read: a separate snapshot, or a snapshot that several destinations share. */
import type pg from 'pg';
import type { Statement } from '../../sql/search-path.ts';
import { importSnapshot } from '../../sql/session.ts';
import type { SharedSnapshot } from '../fan-out/shared-snapshot.ts';
import type { RunContext } from '../context/run-context.ts';

export interface SourceView {
  /** Runs a short question. */
  readonly ask: <T>(question: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  /** Runs the work that needs the snapshot after the rows were copied. */
  readonly look: <T>(work: (source: pg.ClientBase) => Promise<T>) => Promise<T>;
  readonly from: { readonly own: pg.ClientBase } | { readonly shared: SharedSnapshot };
}

interface WantedSnapshot {
  /** Describes everything that decides what is read; undefined if the snapshot is not shared. */
  readonly what: string | undefined;
  /** Statements that are sent in the same message that opens the snapshot. */
  readonly first: readonly Statement[];
  /** Whether `look` compares both sides. That takes long and uses cursors with fixed names, so it needs a separate session. */
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

/** Imports the snapshot into a separate session, so that the other destinations do not wait. */
const inOwnSession = async <T>(
  context: RunContext,
  shared: SharedSnapshot,
  use: (source: pg.ClientBase) => Promise<T>,
): Promise<T> =>
  context.source.withSnapshot([importSnapshot(await shared.exported())], (source) => use(source));
