/** Prometheus text exposition format 0.0.4. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined where it is not known: a series that is absent says so, NaN would be compared. */
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

/** The file must be UTF-8 as a whole, or its reader refuses all of it. */
const escapeLabel = (text: string) => escapeHelp(text.toWellFormed()).replaceAll('"', '\\"');
