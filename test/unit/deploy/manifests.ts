/** The documents of a manifest, and the keys that Kubernetes would drop. */
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { projectFile } from '../../support/deploy-files.ts';

export async function manifestDocuments(file: string): Promise<unknown[]> {
  const parsed = parseAllDocuments(await projectFile(`deploy/kubernetes/${file}`));
  for (const { errors, warnings } of parsed) expect([...errors, ...warnings]).toEqual([]);
  return parsed.map((document) => document.toJS() as unknown);
}

/**
 * The schemas let keys pass that they do not know, and the server would drop them in silence. A key that its schema
 * has never asked for is one of those.
 */
export function neverAsked(document: unknown, validate: (data: unknown) => unknown): string[] {
  const unasked = new Set<string>();
  const watched = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    for (const key of Object.keys(value)) unasked.add(`${path}${key}`);
    return new Proxy(value, {
      get: (target, key) => {
        unasked.delete(`${path}${String(key)}`);
        return watched(Reflect.get(target, key), `${path}${String(key)}.`);
      },
    });
  };
  validate(watched(document, ''));
  return [...unasked];
}
