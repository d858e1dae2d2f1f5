import { painter, type Look, type Paint } from './look.ts';
import { printable } from './text.ts';

interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly table: string | undefined;
  readonly message: string;
  readonly action: string | undefined;
}

const LOOKS = { error: ['x', 'red'], warning: ['!', 'yellow'], note: ['-', 'gray'] } as const;

/** The worst first, and a last line that counts. */
export function formatFindings(findings: readonly Finding[], look: Look): string {
  const paint = painter(look);
  const levels = ['error', 'warning', 'note'] as const;
  const lines = levels.flatMap((level) =>
    findings.filter((finding) => finding.level === level).flatMap((finding) => findingLines(finding, paint)),
  );
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const verdict =
    errors > 0 ? 'sync would fail' : warnings > 0 ? 'sync will work; mind the warnings' : 'all is well';
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  return `${[...lines, '', `${plural(errors, 'error')}, ${plural(warnings, 'warning')}: ${verdict}.`].join('\n')}\n`;
}

function findingLines({ level, table, message, action }: Finding, paint: Paint): string[] {
  const [symbol, style] = LOOKS[level];
  const head = paint(style, `${symbol} ${level}`);
  const about = table === undefined ? '' : `${printable(table)}: `;
  return [
    `${head}  ${about}${printable(message)}`,
    ...(action === undefined ? [] : [`    next: ${printable(action)}`]),
  ];
}
