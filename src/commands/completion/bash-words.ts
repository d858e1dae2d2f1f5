/**
 * Parses a line as bash has it when TAB is pressed: its words, and how a candidate must be written to continue the
 * last word.
 */

interface BashLine {
  /** Without their quotes. The last word is the word at the cursor, which may be empty. */
  readonly words: readonly string[];
  /**
   * The part of the last word that bash keeps. It replaces only the part after a quote, a colon or an equals sign.
   */
  readonly kept: string;
  /** The open quote of the last word. */
  readonly quote: Quote;
}

type Quote = '' | '"' | "'";

export function readBashLine(line: string): BashLine {
  const words: string[] = [];
  let [word, kept, quote]: [string | undefined, string, Quote] = [undefined, '', ''];
  for (let at = 0; at < line.length; at += 1) {
    const letter = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote === '' && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      [word, kept] = [undefined, ''];
    } else if (letter === quote) {
      quote = '';
    } else if (quote === '' && (letter === '"' || letter === "'")) {
      [word, quote] = [word ?? '', letter];
      kept = word;
    } else if (letter === '\\' && (quote === '' || (quote === '"' && /[$`"\\]/.test(next)))) {
      word = (word ?? '') + next;
      at += 1;
    } else {
      word = (word ?? '') + letter;
      if (quote === '' && /[:=]/.test(letter)) kept = word;
    }
  }
  return { words: [...words, word ?? ''], kept, quote };
}

/** The candidate as it must be written there; undefined if it does not continue the typed text. */
export function continueBashLine({ words, kept, quote }: BashLine, candidate: string): string | undefined {
  if (!candidate.startsWith(words.at(-1) ?? '')) return undefined;
  const quoted = QUOTED[quote](candidate.slice(kept.length));
  // Bash closes the quote itself, except if it mistakes the last letter for a closing quote.
  return quote !== '' && quoted.endsWith(quote) ? quoted + quote : quoted;
}

const QUOTED: Readonly<Record<Quote, (text: string) => string>> = {
  '': (text) => text.replace(/[^\w./:=@%+,\-\u0080-\uffff]/g, String.raw`\$&`),
  // Within double quotes, bash reads ! as a reference to its history, so it is written outside of them.
  '"': (text) => text.replace(/[$`"\\]/g, String.raw`\$&`).replaceAll('!', `"'!'"`),
  "'": (text) => text.replaceAll("'", String.raw`'\''`),
};
