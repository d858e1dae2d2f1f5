/** How what is printed may look where it is printed. Whoever formats takes it; nobody looks at the terminal himself. */
import { styleText } from 'node:util';

export interface Style {
  readonly color: boolean;
  /** Cells of a line; Infinity where the output is no terminal, then nothing is cut. */
  readonly width: number;
  /** False: ASCII only, but for names and values, which are printed as they are. */
  readonly isUnicode: boolean;
}

export type TextStyle = Parameters<typeof styleText>[0];
export type Paint = (style: TextStyle, text: string) => string;

/** Whether there is colour was decided by whoever made the look, not by what stdout happens to be. */
export const painter = ({ color }: Pick<Style, 'color'>): Paint =>
  color ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;

const UNICODE = { ok: '✓ ', failed: '✗ ', ellipsis: '…', bullet: '•', arrow: '→' } as const;
const ASCII: Glyphs = { ok: '', failed: '', ellipsis: '...', bullet: '*', arrow: '->' };

/** Marks beside words, never instead of them. */
export type Glyphs = { readonly [Name in keyof typeof UNICODE]: string };

export const glyphsOf = ({ isUnicode }: Pick<Style, 'isUnicode'>): Glyphs => (isUnicode ? UNICODE : ASCII);
