/** The language of manual pages, as far as one needs it. */

/** Text in which nothing means anything to roff. */
export const roff = (text: string): string =>
  text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll('~', String.raw`\(ti`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', String.raw`\(ga`)
    // Long words may be broken behind these.
    .replace(/(?<=[/,@?])(?=\S)/g, String.raw`\:`)
    .replace(/^\./gm, String.raw`\&.`);

/** Markdown's code becomes bold. */
export const prose = (markdown: string): string =>
  markdown
    .split('`')
    .map((part, index) => (index % 2 === 1 ? bold(part) : roff(part)))
    .join('');

export const bold = (text: string): string => String.raw`\fB${roff(text)}\fR`;

export const section = (title: string, ...body: readonly string[]): string =>
  [`.SH ${title}`, ...body].join('\n');

export const subsection = (title: string, ...body: readonly string[]): string =>
  [`.SS "${roff(title).replaceAll('"', String.raw`\(dq`)}"`, ...body].join('\n');

/** A term, and what it means below it, indented. */
export const entry = (term: string, meaning: string): string => `.TP\n${term}\n${meaning}`;

export const paragraph = (text: string): string => `.PP\n${text}`;

/** Lines that stay as they are. */
export const lines = (text: string): string => `.PP\n.RS 2\n.nf\n${roff(text)}\n.fi\n.RE`;
