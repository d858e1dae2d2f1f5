/**
 * The order in which several jobs take the tables of a run: pure. A table is ready when all tables that it refers to are
 * done. Tables that refer to each other in a circle have no such order, so they are taken one at a time.
 */

export class TableQueue<T> {
  readonly #waiting: Set<T>;
  readonly #circleOf: ReadonlyMap<T, Circle<T>>;

  /** `parentsOf`: tables that must be done first. Tables that are not in the queue count as done. */
  constructor(tables: readonly T[], parentsOf: (table: T) => readonly T[]) {
    this.#waiting = new Set(tables);
    const isQueued = (table: T) => this.#waiting.has(table);
    this.#circleOf = circlesOf(tables, (table) => parentsOf(table).filter(isQueued));
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** The first table that is ready. Undefined if every table waits for a table that is not done. */
  take(): T | undefined {
    for (const table of this.#waiting) {
      const circle = this.#circle(table);
      if (circle.isTaken || [...circle.parents].some(({ left }) => left > 0)) continue;
      circle.isTaken = true;
      this.#waiting.delete(table);
      return table;
    }
    return undefined;
  }

  /** The table is as if it had not been taken, but it comes after the others. */
  putBack(table: T): void {
    this.#circle(table).isTaken = false;
    this.#waiting.add(table);
  }

  done(table: T): void {
    const circle = this.#circle(table);
    circle.isTaken = false;
    circle.left -= 1;
  }

  #circle(table: T): Circle<T> {
    const circle = this.#circleOf.get(table);
    if (!circle) throw new Error('a table that is not in the queue');
    return circle;
  }
}

/** Tables that refer to each other, or a single table. */
interface Circle<T> {
  /** The circles that its tables refer to. */
  readonly parents: Set<Circle<T>>;
  /** The number of its tables that are not done. */
  left: number;
  /** Whether a job has one of its tables. */
  isTaken: boolean;
}

/** Strongly connected components, by the algorithm of Tarjan. Chains may be as long as there are tables, so no recursion. */
function circlesOf<T>(
  tables: readonly T[],
  parentsOf: (table: T) => readonly T[],
): ReadonlyMap<T, Circle<T>> {
  const circleOf = new Map<T, Circle<T>>();
  const visits = new Map<T, { readonly number: number; lowest: number; readonly parents: T[] }>();
  const open: T[] = [];
  const enter = (table: T) => {
    const number = visits.size;
    const visit = { number, lowest: number, parents: [...parentsOf(table)] };
    visits.set(table, visit);
    open.push(table);
    return { table, visit };
  };
  for (const start of tables) {
    if (visits.has(start)) continue;
    const path = [enter(start)];
    for (let last = path.at(-1); last; last = path.at(-1)) {
      const { table, visit } = last;
      const parent = visit.parents.pop();
      const known = parent === undefined ? undefined : visits.get(parent);
      if (parent !== undefined && !known) path.push(enter(parent));
      else if (parent !== undefined && known) {
        if (!circleOf.has(parent)) visit.lowest = Math.min(visit.lowest, known.number);
      } else {
        path.pop();
        const below = path.at(-1)?.visit;
        if (below) below.lowest = Math.min(below.lowest, visit.lowest);
        if (visit.lowest !== visit.number) continue;
        const members = open.splice(open.lastIndexOf(table));
        const circle = { parents: new Set<Circle<T>>(), left: members.length, isTaken: false };
        for (const member of members) circleOf.set(member, circle);
      }
    }
  }
  for (const table of tables) {
    const circle = circleOf.get(table);
    for (const parent of parentsOf(table)) {
      const above = circleOf.get(parent);
      if (above && above !== circle) circle?.parents.add(above);
    }
  }
  return circleOf;
}
