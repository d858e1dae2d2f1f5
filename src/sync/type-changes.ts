/** What `types: "native"` makes at the destination, as statements and in words: pure. */
import { isHarmlessCheck } from '../schema/domain-checks.ts';
import type { NativeType, NativeTypes } from '../schema/native-types.ts';
import { printType } from '../schema/native-types.ts';
import {
  addLabel,
  createComposite,
  createDomain,
  createEnum,
  createExtension,
  createRange,
} from '../sql/types.ts';

export const printHome = ({ home }: NativeType): string => `${home.schema}.${home.name}`;

/** Enums, and domains whose constraints only compare. All else is for a person to make. */
export const canBeMade = ({ source }: NativeType): boolean =>
  source.extension === null &&
  (source.kind === 'enum' || (source.kind === 'domain' && source.checks.every(isHarmlessCheck)));

/** The statement that makes it, also where that is left to a person. */
export function creationOf({ source, home }: NativeType, natives: NativeTypes): string {
  if (source.extension !== null) return createExtension(source.extension);
  const parts = source.parts.map(({ name, type }) => ({ name, type: printType(type, natives.types) }));
  const part = parts[0]?.type ?? '';
  if (source.kind === 'enum') return createEnum(home, source.labels);
  if (source.kind === 'domain') return createDomain(home, part, source.isNotNull, source.checks);
  return source.kind === 'composite type' ? createComposite(home, parts) : createRange(home, part);
}

/** Statements for the labels that an enum lacks. */
export const additionsTo = ({ home, verdict }: NativeType): string[] =>
  verdict.kind === 'lacks-labels' ? verdict.labels.map((label) => addLabel(home, label)) : [];

/** One sentence each, for `plan` and for the reason of a run. */
export const describeChanges = ({ types }: NativeTypes): string[] =>
  types.flatMap((type) => {
    if (type.verdict.kind === 'missing') return [`creates the ${type.source.kind} ${printHome(type)}`];
    if (type.verdict.kind !== 'lacks-labels') return [];
    const labels = type.verdict.labels.map(({ label }) => `'${label}'`).join(', ');
    return [
      `gives the enum ${printHome(type)} the label${type.verdict.labels.length > 1 ? 's' : ''} ${labels}`,
    ];
  });
