/** A meeting of members that act together. It ends when all have arrived, or when the first has waited long enough. */

export interface MeetingWait {
  /** Milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

export class Rendezvous<Member, Contribution> {
  readonly #expected: Set<Member>;
  readonly #present = new Map<Member, Contribution>();
  readonly #wait: MeetingWait;
  readonly #over = Promise.withResolvers<ReadonlyMap<Member, Contribution>>();
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(expected: Iterable<Member>, wait: MeetingWait) {
    this.#expected = new Set(expected);
    this.#wait = wait;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The members that have arrived. */
  get members(): readonly Member[] {
    return [...this.#present.keys()];
  }

  /** The expected members that have not arrived. */
  get missing(): readonly Member[] {
    return [...this.#expected].filter((member) => !this.#present.has(member));
  }

  /** All members, after the end of the meeting. Undefined for a member that arrives after the end. */
  async come(
    member: Member,
    contribution: Contribution,
  ): Promise<ReadonlyMap<Member, Contribution> | undefined> {
    const { waitMs, signal } = this.#wait;
    if (this.#isOver) return undefined;
    this.#present.set(member, contribution);
    this.#timer ??= setTimeout(() => this.#end(), waitMs);
    const end = () => this.#end();
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted || this.missing.length === 0) end();
    const present = await this.#over.promise;
    signal?.removeEventListener('abort', end);
    signal?.throwIfAborted();
    return present;
  }

  /** The meeting no longer waits for this member. */
  leave(member: Member): void {
    this.#expected.delete(member);
    if (this.#present.size > 0 && this.missing.length === 0) this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#over.resolve(this.#present);
  }
}
