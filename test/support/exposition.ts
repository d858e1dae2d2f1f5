/** Reads the text exposition format as strictly as Prometheus does. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[\d.]+(?:e[+-]?\d+)?)$/;

const unescape = (text: string) => text.replaceAll(/\\(.)/g, (_, it: string) => (it === 'n' ? '\n' : it));

export function parseExposition(text: string): Series[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  return text
    .slice(0, -1)
    .split('\n')
    .filter((line) => !line.startsWith('# '))
    .map(parseLine);
}

function parseLine(line: string): Series {
  const [, name, pairs = '', value] = LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a series: ${line}`);
  const labels = [...pairs.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, label = '', written = '']) => [label, unescape(written)] as const,
  );
  return { name, labels: Object.fromEntries(labels), value: Number(value) };
}

/** The value of the one series with these labels; undefined where there is none. */
export function valueOf(
  series: readonly Series[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = series.filter(
    (each) =>
      each.name === name && Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  );
  if (found.length > 1) throw new Error(`${name} ${JSON.stringify(labels)} is not one series`);
  return found[0]?.value;
}
