/** Names in which `*` stands for any characters, also none, and `\*` for a star itself. */

export interface NamePattern {
  /** What stands before, between and behind the stars; of a name without any, the name. */
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

/** As it has to be written to mean this name and no other. */
export const patternOf = (name: string): string => name.replaceAll('*', String.raw`\*`);

export function isMatch(pattern: NamePattern, name: string): boolean {
  const [first = '', ...rest] = pattern.parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let from = first.length;
  // The leftmost place of each part leaves the most room for the others.
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return name.length - last.length >= from && name.endsWith(last);
}

/** `to`, of one star, with what the one star of `from` stands for in a name that matches. */
export function translated(from: NamePattern, to: NamePattern, name: string): string {
  const [first = '', last = ''] = from.parts;
  return to.parts.join(name.slice(first.length, name.length - last.length));
}

/** For LIKE, with the backslash to escape. */
export const likeOf = ({ parts }: NamePattern): string =>
  parts.map((part) => part.replaceAll(/[\\%_]/g, String.raw`\$&`)).join('%');
