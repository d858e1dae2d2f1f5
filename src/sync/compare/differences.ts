/** Walks two ordered streams of rows side by side. Holds one key of each at a time. */

export interface HashedRow {
  /** The merge key's values as text, as a JSON array. */
  readonly key: string;
  readonly hash: string;
  readonly content: string;
  readonly pending: boolean;
}

export type Difference =
  /** At the source only. */
  | { readonly kind: 'missing'; readonly key: string }
  /** At the destination only. */
  | { readonly kind: 'extra'; readonly key: string }
  | { readonly kind: 'changed'; readonly key: string }
  /** More than one row of this key. */
  | { readonly kind: 'duplicated'; readonly key: string; readonly side: 'source' | 'destination' };

/** Both streams come in the order of their hashes. Rows that the next sync would read anyway are no difference. */
export async function* findDifferences(
  source: AsyncIterable<HashedRow>,
  destination: AsyncIterable<HashedRow>,
): AsyncGenerator<Difference> {
  const [left, right] = [keysOf(source), keysOf(destination)];
  let [a, b] = [await left.next(), await right.next()];
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compare(a.value, b.value);
    yield* judge(order <= 0 ? a.value : undefined, order >= 0 ? b.value : undefined);
    [a, b] = [order <= 0 ? await left.next() : a, order >= 0 ? await right.next() : b];
  }
}

/** All rows of one key on one side; more than one only where the key is not unique. */
interface Key {
  readonly key: string;
  readonly hash: string;
  readonly contents: readonly string[];
  readonly isPending: boolean;
}

async function* keysOf(rows: AsyncIterable<HashedRow>): AsyncGenerator<Key, undefined> {
  let current: Key | undefined;
  for await (const { key, hash, content, pending } of rows) {
    if (current?.hash === hash) {
      current = {
        ...current,
        contents: [...current.contents, content],
        isPending: current.isPending || pending,
      };
      continue;
    }
    if (current) yield current;
    current = { key, hash, contents: [content], isPending: pending };
  }
  if (current) yield current;
  return undefined;
}

const compare = (a: Key | undefined, b: Key | undefined): number => {
  const [left, right] = [a?.hash ?? '', b?.hash ?? ''];
  return left < right ? -1 : Number(left > right);
};

function* judge(source: Key | undefined, destination: Key | undefined): Generator<Difference> {
  const key = (source ?? destination)?.key ?? '';
  for (const [side, found] of [
    ['source', source],
    ['destination', destination],
  ] as const) {
    if (found && found.contents.length > 1) yield { kind: 'duplicated', key, side };
  }
  if (source?.isPending === true) return;
  if (!destination) yield { kind: 'missing', key };
  else if (!source) yield { kind: 'extra', key };
  else if (!destination.contents.some((content) => source.contents.includes(content)))
    yield { kind: 'changed', key };
}
