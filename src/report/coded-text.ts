/** One text for each code of a union, so that a code without a text does not compile. */

interface Coded {
  readonly code: string;
}

/** The members of a union that may have this code. */
type Having<T extends Coded, Code> = T extends Coded ? (Code extends T['code'] ? T : never) : never;

export type Texts<T extends Coded> = {
  readonly [Code in T['code']]: (said: Having<T, Code>) => string;
};

export function textFor<T extends Coded>(texts: Texts<T>, said: T): string {
  const text = texts[said.code as T['code']] as (said: T) => string;
  return text(said);
}
