/** Splits DEST_URLS: pure. */
import { isKeyword } from '../connection/conninfo.ts';

const URL_WORD = /^(?:([^=:/?#@\s]*)=)?(postgres(?:ql)?:\/\/\S*)$/i;

/** A name and the first parameter: `warehouse=host=...`. The name is no parameter itself. */
const NAMED = /^([^=:/?#@\s]*)=(\w+)=/;

interface Written {
  readonly name: string | undefined;
  readonly url: string | undefined;
}

/**
 * `name=postgresql://...` or `name=host=... dbname=...`, separated by white space. A part that is neither is never
 * shown, because it may be a password.
 */
export function splitUrls(text: string): readonly Written[] {
  const found: Written[] = [];
  /** The keyword form that is not complete yet. */
  let open: { readonly name: string | undefined; text: string } | undefined;
  const close = () => {
    if (open) found.push({ name: open.name, url: open.text });
    open = undefined;
  };
  for (const word of wordsOf(text)) {
    const [, name, url] = URL_WORD.exec(word) ?? [];
    const [, label = '', keyword = ''] = NAMED.exec(word) ?? [];
    const isPair = isKeyword(/^\w+(?==)/.exec(word)?.[0] ?? '');
    if (url !== undefined) {
      close();
      found.push({ name: name === '' ? undefined : name, url });
    } else if (!isPair && isKeyword(keyword)) {
      close();
      open = { name: label === '' ? undefined : label, text: word.slice(label.length + 1) };
    } else if (open) open.text += ` ${word}`;
    else if (isPair) open = { name: undefined, text: word };
    else found.push({ name: undefined, url: undefined });
  }
  close();
  return found;
}

/** In the keyword form, quotes hold white space together, and a backslash escapes. A URL ends at white space. */
const wordsOf = (text: string): string[] =>
  text.match(/(?:[^=:/?#@\s]*=)?postgres(?:ql)?:\/\/\S*|(?:=\s*'(?:\\[^]|[^'\\])*'|\\[^]|[^\s\\])+/gi) ?? [];
