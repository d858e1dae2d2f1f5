/**
 * The capabilities of the output: width, colors, characters. Formatting functions take them as an argument and do not
 * read the terminal.
 */
import { styleText } from 'node:util';

export interface Style {
  readonly color: boolean;
  /** Cells of a line. Infinity if the output is not a terminal; then no line is cut. */
  readonly width: number;
  /** False means ASCII only, except for names and values. */
  readonly isUnicode: boolean;
  /** A command as the user would type it for this pipeline, such as `npx increp -C shop status`. */
  readonly typedCommand?: (verb: string) => string;
}

export type TextStyle = Parameters<typeof styleText>[0];
export type Paint = (style: TextStyle, text: string) => string;

/** The caller decides about colors, independent of stdout. */
export const painter = ({ color }: Pick<Style, 'color'>): Paint =>
  color ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;

const UNICODE = { ok: '✓ ', failed: '✗ ', ellipsis: '…', bullet: '•', arrow: '→' } as const;
const ASCII: Glyphs = { ok: '', failed: '', ellipsis: '...', bullet: '*', arrow: '->' };

/** Marks beside words, never instead of them. */
export type Glyphs = { readonly [Name in keyof typeof UNICODE]: string };

export const glyphsOf = ({ isUnicode }: Pick<Style, 'isUnicode'>): Glyphs => (isUnicode ? UNICODE : ASCII);
