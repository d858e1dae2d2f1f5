/** The parts of documents that are not written by hand stand between markers. */
import { format, resolveConfig } from 'prettier';

/** Puts each body between its own markers. */
export function fill(document: string, bodies: Readonly<Record<string, string>>): string {
  return Object.entries(bodies).reduce((text, [name, body]) => {
    const [start, end] = [`<!-- generated: ${name} -->`, '<!-- end -->'];
    const [before, rest] = text.split(start);
    if (before === undefined || rest === undefined) throw new Error(`the marker ${start} is missing`);
    return `${before}${start}\n\n${body}\n\n${rest.slice(rest.indexOf(end))}`;
  }, document);
}

/** As prettier would leave it, so that the two never disagree about these files. */
export const pretty = async (filepath: string, text: string): Promise<string> =>
  format(text, { ...(await resolveConfig(filepath)), filepath });
