/** How what is printed may look where it is printed. Whoever formats takes it; nobody looks at the terminal himself. */
import { styleText } from 'node:util';

export interface Look {
  readonly color: boolean;
  /** Cells of a line; Infinity where the output is no terminal, then nothing is cut. */
  readonly width: number;
  /** False: ASCII only, but for names and values, which are printed as they are. */
  readonly isUnicode: boolean;
}

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Whether there is colour was decided by whoever made the look, not by what stdout happens to be. */
export const painter = ({ color }: Pick<Look, 'color'>): Paint =>
  color ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;

const UNICODE = { ok: '✓ ', failed: '✗ ', ellipsis: '…', bullet: '•', arrow: '→' } as const;
const ASCII: Glyphs = { ok: '', failed: '', ellipsis: '...', bullet: '*', arrow: '->' };

/** Marks beside words, never instead of them. */
export type Glyphs = { readonly [Name in keyof typeof UNICODE]: string };

export const glyphsOf = ({ isUnicode }: Pick<Look, 'isUnicode'>): Glyphs => (isUnicode ? UNICODE : ASCII);
