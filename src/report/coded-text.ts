/** One text for each code of a union, so that a code without a text does not compile. */

interface CodedValue {
  readonly code: string;
}

/** The members of a union that may have this code. */
type Having<T extends CodedValue, Code> = T extends CodedValue ? (Code extends T['code'] ? T : never) : never;

export type Texts<T extends CodedValue> = {
  readonly [Code in T['code']]: (said: Having<T, Code>) => string;
};

export function textFor<T extends CodedValue>(texts: Texts<T>, said: T): string {
  const text = texts[said.code as T['code']] as (said: T) => string;
  return text(said);
}
