/** Changes of a table that may change the values of rows, but not its shape. Pure. */
import type { Rewritten } from '../reasons.ts';
import type { Relation } from './relations.ts';
import type { StateRecord } from './state-record.ts';

/** ALTER TABLE, VACUUM FULL and CLUSTER rewrite all rows. A virtual column can get another expression without that. */
export function rewrittenSince({ files, shape }: StateRecord, source: Relation): Rewritten | undefined {
  if (shape.oid !== source.oid) return undefined;
  const changed = source.columns.find(({ name, expression }) => {
    const before = shape.columns.find((column) => column.name === name)?.expression;
    return typeof before === 'string' && typeof expression === 'string' && before !== expression;
  });
  if (changed) return { code: 'expression-changed', column: changed.name };
  const before = new Map((files ?? []).map((file) => splitFile(file)));
  // A partition that was attached or detached was not rewritten.
  const isOther = source.files.some((file) => {
    const [oid, node] = splitFile(file);
    return (before.get(oid) ?? node) !== node;
  });
  return isOther ? { code: 'file-rewritten' } : undefined;
}

const splitFile = (file: string): [string, string] => {
  const [oid = '', node = ''] = file.split(':');
  return [oid, node];
};
