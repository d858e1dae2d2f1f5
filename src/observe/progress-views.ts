/** Combines the live lines of several destinations, and of several jobs: pure. */
import type { RunEvent } from '../events.ts';
import { labelOf } from '../format.ts';
import { viewAfter, type Seen, type View } from './progress-view.ts';

/** One destination. */
interface Lines {
  /** What a single job does. With several jobs, only its numbers count, and what it says before and after the tables. */
  readonly own: Seen;
  /** With several jobs: the tables that are being synced, in the order in which they began. Undefined for a single job. */
  readonly tables: ReadonlyMap<string, View> | undefined;
  /** How many tables have begun. Each keeps its number until it is done. */
  readonly begun: number;
}

/** By the name of the destination; undefined for a single destination. */
export type Views = ReadonlyMap<string | undefined, Lines>;

const NOTHING: Lines = { own: undefined, tables: undefined, begun: 0 };

export function viewsAfter(views: Views, event: RunEvent, now: number): Views {
  if (event.type === 'run-started') {
    const names = event.destinations ?? [undefined];
    const tables = event.jobs === undefined ? undefined : new Map();
    return new Map(
      names.map((name) => [name, { ...NOTHING, own: viewAfter(undefined, event, now), tables }]),
    );
  }
  if (event.type === 'run-finished')
    return new Map(
      [...views].map(([name, { own }]) => [name, { ...NOTHING, own: viewAfter(own, event, now) }]),
    );
  const of = event.type === 'table-finished' ? event.outcome.destination : event.destination;
  const lines = views.get(of) ?? NOTHING;
  const after = lines.tables
    ? afterJobs(lines, lines.tables, event, now)
    : { ...lines, own: viewAfter(lines.own, event, now) };
  return new Map(views).set(of, after);
}

type TableEvent = Exclude<RunEvent, { readonly type: 'run-started' | 'run-finished' }>;

/** Several tables are synced at the same time. */
function afterJobs(lines: Lines, tables: ReadonlyMap<string, View>, event: TableEvent, now: number): Lines {
  const { own, begun } = lines;
  const table = event.type === 'table-finished' ? event.outcome.name : event.table;
  const known = table === undefined ? undefined : tables.get(table);
  if (event.type === 'table-finished' || event.type === 'table-held') {
    const left = new Map([...tables].filter(([name]) => name !== table));
    return {
      own: event.type === 'table-finished' ? viewAfter(own, event, now) : own,
      tables: left,
      begun: known || event.type === 'table-held' ? begun : begun + 1,
    };
  }
  // Without a table, it is about the run: a retry before the first table.
  if (table === undefined) return { ...lines, own: viewAfter(own, event, now) };
  if (known) return { ...lines, tables: new Map(tables).set(table, viewAfter(known, event, now) ?? known) };
  const first =
    event.type === 'warning' || !own ? undefined : viewAfter({ ...own, finished: begun }, event, now);
  return first ? { ...lines, tables: new Map(tables).set(table, first), begun: begun + 1 } : lines;
}

/**
 * Shows the destination that is furthest behind, because it determines the duration of the run. Tables are counted
 * over all destinations. One line, or with several jobs, one for each table that is being synced.
 */
export function shownViews(views: Views): readonly View[] {
  const known = [...views].flatMap(([name, { own, tables }]) => (own ? [{ name, own, tables }] : []));
  const [first, ...others] = known.toSorted((a, b) => left(b.own) - left(a.own));
  if (!first) return [];
  const { name: destination, own, tables } = first;
  const shown = tables && tables.size > 0 ? [...tables.values()] : [own];
  if (destination === undefined) return shown;
  const sum = (count: (view: View) => number) => others.reduce((total, each) => total + count(each.own), 0);
  return shown.map((view) => ({
    ...view,
    total: view.total + sum(({ total }) => total),
    finished: view.finished + sum(({ finished }) => finished),
    table: view.table === undefined ? undefined : labelOf({ name: view.table, destination }),
  }));
}

const left = ({ total, finished }: View): number => total - finished;
