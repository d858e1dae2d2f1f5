/** Combines the live lines of several destinations into one: pure. */
import type { RunEvent } from '../events.ts';
import { labelOf } from '../format.ts';
import { viewAfter, type Seen, type View } from './progress-view.ts';

/** By the name of the destination; undefined for a single destination. */
export type Views = ReadonlyMap<string | undefined, Seen>;

export function viewsAfter(views: Views, event: RunEvent, now: number): Views {
  if (event.type === 'run-started') {
    const names = event.destinations ?? [undefined];
    return new Map(names.map((name) => [name, viewAfter(undefined, event, now)]));
  }
  if (event.type === 'run-finished')
    return new Map([...views].map(([name, view]) => [name, viewAfter(view, event, now)]));
  const of = event.type === 'table-finished' ? event.outcome.destination : event.destination;
  return new Map(views).set(of, viewAfter(views.get(of), event, now));
}

/**
 * Shows the destination that is furthest behind, because it determines the duration of the run. Tables are counted
 * over all destinations.
 */
export function shownView(views: Views): Seen {
  const known = [...views].flatMap(([name, view]) => (view ? [{ name, view }] : []));
  const [first] = known.toSorted((a, b) => left(b.view) - left(a.view));
  if (!first || first.name === undefined) return first?.view;
  const { name: destination, view } = first;
  const sum = (count: (view: View) => number) => known.reduce((total, each) => total + count(each.view), 0);
  return {
    ...view,
    total: sum(({ total }) => total),
    finished: sum(({ finished }) => finished),
    table: view.table === undefined ? undefined : labelOf({ name: view.table, destination }),
  };
}

const left = ({ total, finished }: View): number => total - finished;
