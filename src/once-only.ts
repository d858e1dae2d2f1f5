/** Returns a function that does the work at its first call. All calls share the answer. */
export function onceOnly<T>(work: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= work());
}
