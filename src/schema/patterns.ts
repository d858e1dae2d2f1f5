/** Name patterns. `*` stands for any characters, or none. `\*` stands for a star. */

export interface NamePattern {
  /** The texts before, between and after the stars. A name without a star is one part. */
  readonly parts: readonly string[];
}

export function readPattern(text: string): NamePattern {
  const parts = [''];
  const add = (character: string) => void parts.push(`${parts.pop() ?? ''}${character}`);
  for (let at = 0; at < text.length; at += 1) {
    const isStarItself = text.startsWith(String.raw`\*`, at);
    if (isStarItself) at += 1;
    if (text[at] === '*' && !isStarItself) parts.push('');
    else add(text[at] ?? '');
  }
  return { parts };
}

export const starsOf = ({ parts }: NamePattern): number => parts.length - 1;

/** The pattern that matches only this name. */
export const patternOf = (name: string): string => name.replaceAll('*', String.raw`\*`);

export function isMatch(pattern: NamePattern, name: string): boolean {
  const [first = '', ...rest] = pattern.parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let from = first.length;
  // The leftmost position of each part leaves the most room for the other parts.
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return name.length - last.length >= from && name.endsWith(last);
}

/** Both patterns have one star. Replaces the star of `to` by the text that the star of `from` matches in `name`. */
export function translated(from: NamePattern, to: NamePattern, name: string): string {
  const [first = '', last = ''] = from.parts;
  return to.parts.join(name.slice(first.length, name.length - last.length));
}

/** A LIKE pattern with the backslash as escape character. */
export const likeOf = ({ parts }: NamePattern): string =>
  parts.map((part) => part.replaceAll(/[\\%_]/g, String.raw`\$&`)).join('%');
