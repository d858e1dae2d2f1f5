/** Prometheus text exposition format 0.0.4. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined if the value is unknown. Then the series is absent, because alert rules would compare a NaN. */
  readonly value: number | undefined;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly Sample[];
}

export const exposition = (families: readonly Family[]): string => families.map(familyText).join('');

function familyText({ name, help, type, samples }: Family): string {
  const lines = samples.flatMap(({ labels, value }) =>
    value !== undefined && Number.isFinite(value) ? [`${name}${labelsText(labels)} ${value}\n`] : [],
  );
  if (lines.length === 0) return '';
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** The whole file must be valid UTF-8, or node_exporter rejects it. */
const escapeLabel = (text: string) => escapeHelp(text.toWellFormed()).replaceAll('"', '\\"');
