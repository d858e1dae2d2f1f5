/** What the live line tells of several destinations, each of which has tables of its own to tell of: pure. */
import type { RunEvent } from '../events.ts';
import { labelOf } from '../format.ts';
import { viewAfter, type Seen, type View } from './progress-view.ts';

/** By the name of the destination; undefined is that of the only one. */
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

/** Of the one that is furthest behind: the run is as long as that takes. The tables of all are counted. */
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
