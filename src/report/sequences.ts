/** Formats what `increp sequences` did. */
import { formatColumns } from './columns.ts';
import type { Style } from './style.ts';
import { sameFailure, type ToldFailures } from './same-failure.ts';
import { printableLine, wrap } from './text.ts';

interface PrintedSequence {
  readonly table: string;
  readonly column: string;
  readonly sequence: { readonly schema: string; readonly table: string };
  readonly isCreated: boolean;
  readonly kind: 'set' | 'unchanged' | 'missing' | 'failed';
  readonly from: string | null;
  readonly to: string | null;
  readonly isSourceRead: boolean;
  readonly error: { readonly message: string; readonly next: string } | undefined;
}

const INDENT = '    ';

export function formatSequences(
  results: readonly PrintedSequence[],
  style: Style,
  isDryRun: boolean,
): string {
  if (results.length === 0) return 'No column of these tables draws from a sequence.\n';
  const rows = results.map((each) => [
    each.kind === 'failed' ? 'FAILED' : isDryRun && each.kind === 'set' ? 'would set' : each.kind,
    `${printableLine(each.table)}.${printableLine(each.column)}`,
    printableLine(`${each.sequence.schema}.${each.sequence.table}`),
    each.to === null ? (each.from ?? '-') : `${each.from ?? '-'} -> ${each.to}`,
  ]);
  const [header = '', ...lines] = formatColumns(
    [{ title: 'STATE' }, { title: 'COLUMN' }, { title: 'SEQUENCE' }, { title: 'LAST VALUE' }],
    rows,
    style,
    (cell) => cell,
  );
  const told: ToldFailures = new Map();
  const details = (place: number): string[] => {
    const each = results[place];
    if (each?.error) {
      const { message, next } = each.error;
      const failure = { name: each.table, code: '', message, hint: next };
      const same = sameFailure(failure, printableLine(each.table), told);
      return (same === undefined ? [message, `next: ${next}`] : [same]).flatMap((text) =>
        wrap(`${INDENT}${text}`, style, `${INDENT}  `),
      );
    }
    return each?.isCreated === true ? [`${INDENT}${isDryRun ? 'would be created' : 'created'}`] : [];
  };
  const isMissing = results.some(({ kind }) => kind === 'missing');
  return `${[
    header,
    ...lines.flatMap((line, place) => [line, ...details(place)]),
    ...(results.every(({ isSourceRead }) => isSourceRead)
      ? []
      : wrap(
          'The role of increp may not read the sequences of the source (GRANT SELECT ON SEQUENCE), so the values are those of the rows. Numbers of rows that were deleted may be given out again.',
          style,
          '',
        )),
    ...(isMissing
      ? wrap('Missing sequences are created for tables with "constraints": "copy".', style, '')
      : []),
  ].join('\n')}\n`;
}
