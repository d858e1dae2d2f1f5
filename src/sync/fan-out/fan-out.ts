/**
 * Coordinates the runs for the destinations of one pipeline. They sync the same table at the same time if no run has to
 * wait long for it, and these runs read the source once.
 */
import type { Statement } from '../../sql/search-path.ts';
import type { Database } from '../../postgres/database.ts';
import type { Timing } from '../../timing.ts';
import { Rendezvous, type MeetingWait } from './rendezvous.ts';
import type { FanOut, ReaderGroup } from './reader-group.ts';
import { SharedSnapshot } from './shared-snapshot.ts';

interface FanOutOptions {
  /** Names of destinations. */
  readonly names: readonly string[];
  /** Opens another connection to the source, for a shared snapshot. */
  readonly openSource: () => Database;
  readonly signal: AbortSignal | undefined;
  readonly timing: Pick<Timing, 'fanOut'>;
}

export class Sharing implements AsyncDisposable {
  readonly #options: FanOutOptions;
  readonly #tables = new Map<string, Rendezvous<string, undefined>>();
  readonly #rounds = new Map<Rendezvous<string, undefined>, Round>();
  readonly #active: Set<string>;
  /** Destinations that are behind, or that do other work. Nothing waits for them. */
  readonly #behind = new Set<string>();
  #hasMet = false;
  readonly #idle: Database[] = [];
  readonly #held: Promise<void>[] = [];

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.#active = new Set(options.names);
  }

  companionsOf(name: string): FanOut {
    return {
      meetAt: (table) => this.#meetAt(name, table),
      passBy: (table) => this.#meetingAt(name, table).leave(name),
      fallBack: () => this.#fallBack(name),
      quit: () => {
        this.#active.delete(name);
        this.#fallBack(name);
      },
    };
  }

  async #meetAt(name: string, table: string): Promise<ReaderGroup | undefined> {
    const meeting = this.#meetingAt(name, table);
    this.#hasMet = true;
    if (meeting.isOver) return undefined;
    this.#behind.delete(name);
    const present = await meeting.come(name, undefined);
    if (!present) return undefined;
    for (const missing of meeting.missing) this.#behind.add(missing);
    if (present.size < 2) return undefined;
    const round = this.#rounds.get(meeting) ?? this.#newRound([...present.keys()]);
    this.#rounds.set(meeting, round);
    return round.groupOf(name);
  }

  #meetingAt(name: string, table: string): Rendezvous<string, undefined> {
    const known = this.#tables.get(table);
    if (known) return known;
    const expected = [...this.#active].filter((other) => other === name || !this.#behind.has(other));
    const { timing, signal } = this.#options;
    const { readerWait, firstReaderWait } = timing.fanOut;
    const seconds = !this.#hasMet ? firstReaderWait : readerWait;
    const meeting = new Rendezvous<string, undefined>(expected, { waitMs: seconds * 1000, signal });
    this.#tables.set(table, meeting);
    return meeting;
  }

  #fallBack(name: string): void {
    this.#behind.add(name);
    for (const meeting of this.#tables.values()) if (!meeting.isOver) meeting.leave(name);
  }

  /** Milliseconds. */
  get #readerWaitMs(): number {
    return this.#options.timing.fanOut.readerWait * 1000;
  }

  #newRound(members: readonly string[]): Round {
    const { signal } = this.#options;
    const wait = { waitMs: this.#readerWaitMs, signal };
    return new Round(members, wait, (names, first) => this.#open(names, first));
  }

  #open(members: readonly string[], first: readonly Statement[]): SharedSnapshot {
    const source = this.#idle.pop() ?? this.#options.openSource();
    const { signal } = this.#options;
    const snapshot = new SharedSnapshot({ source, members, waitMs: this.#readerWaitMs, signal });
    const hold = async () => {
      await snapshot.hold(first);
      this.#idle.push(source);
    };
    this.#held.push(hold());
    return snapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#held);
    await Promise.all(this.#idle.map((source) => source[Symbol.asyncDispose]()));
  }
}

type Open = (members: readonly string[], first: readonly Statement[]) => SharedSnapshot;

/** One table, and the destinations that read it together. */
class Round {
  readonly #open: Open;
  readonly #fences = new Map<string, Promise<unknown>>();
  readonly #snapshots = new Map<string, SharedSnapshot>();
  readonly #meeting: Rendezvous<string, string>;
  readonly #gone = new Set<string>();

  constructor(members: readonly string[], wait: MeetingWait, open: Open) {
    this.#open = open;
    this.#meeting = new Rendezvous<string, string>(members, wait);
  }

  groupOf(name: string): ReaderGroup {
    let hasLeft = false;
    return {
      fence: async <T>(fenceKey: string, raise: () => Promise<T>): Promise<T> => {
        if (hasLeft) return raise();
        // An older fence is as good, because the snapshot comes after it.
        const known = this.#fences.get(fenceKey) ?? raise();
        this.#fences.set(fenceKey, known);
        return known as Promise<T>;
      },
      snapshot: async (selectionKey, first) =>
        hasLeft ? undefined : this.#snapshotFor(name, selectionKey, first),
      leave: () => {
        hasLeft = true;
        this.#gone.add(name);
        this.#meeting.leave(name);
        for (const snapshot of this.#snapshots.values()) snapshot.leave(name);
      },
    };
  }

  async #snapshotFor(
    name: string,
    selectionKey: string,
    first: readonly Statement[],
  ): Promise<SharedSnapshot | undefined> {
    const present = await this.#meeting.come(name, selectionKey);
    const alike = [...(present ?? [])]
      .filter(([member, other]) => other === selectionKey && !this.#gone.has(member))
      .map(([member]) => member);
    if (alike.length < 2) return undefined;
    const snapshot = this.#snapshots.get(selectionKey) ?? this.#open(alike, first);
    this.#snapshots.set(selectionKey, snapshot);
    return snapshot;
  }
}
