/** The error of a table with differences and on_schema_change "fail". Pure. */
import { IncrepError } from '../../errors.ts';
import { tableCommand } from '../../shell-word.ts';
import { ONLY_AT_DESTINATION, type Difference } from '../../reasons.ts';
import { differencesText } from '../../report/shape-texts.ts';
import { printName } from '../../schema/names.ts';
import type { TableFacts } from '../facts/facts.ts';
import { renameAdvice } from './renamed-columns.ts';

export function driftRefusal(
  facts: Pick<TableFacts, 'sourceName' | 'settings' | 'saved' | 'source'>,
  drift: readonly Difference[],
): IncrepError {
  const { sourceName, settings, source: relation } = facts;
  const { name } = settings;
  const renamed = relation ? renameAdvice(facts, relation).map((advice) => `${advice}. `) : [];
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: whatDiffers(printName(sourceName), drift),
    next: `on_schema_change is "fail", so increp leaves the table as it is. ${renamed.join('')}${restoring(drift)}To load the table again${resultOf(drift)}, run "${tableCommand('reset', name)}". Then run "${tableCommand('sync', name)}".`,
  });
}

function whatDiffers(source: string, drift: readonly Difference[]): string {
  const recreation = drift.find((each) => each.code === 'source-recreated');
  if (!recreation) return `${source} and its destination table differ: ${differencesText(drift)}`;
  const others = drift.filter((each) => each !== recreation);
  const recreated =
    recreation.movedTo === undefined
      ? `${source} was dropped and created again at the source, for example by a restore`
      : `${source} is another table at the source now, and the former one is ${recreation.movedTo}`;
  return others.length === 0
    ? `${recreated}. It has the same columns, but may have other rows`
    : `${recreated}, and differs from its destination table: ${differencesText(others)}`;
}

/** The setting that changed, and how to restore it. Undefined for a difference of the tables themselves. */
function formerSetting(difference: Difference): string | undefined {
  switch (difference.code) {
    case 'setting-changed': {
      const { setting, from } = difference;
      if (from.join('') === '') return `remove ${setting}`;
      return `set ${setting} back to ${setting === 'unique_cols' ? JSON.stringify(from) : `"${from.join(', ')}"`}`;
    }
    case 'column-selected':
    case 'column-deselected':
      return `set "${difference.setting}" back`;
    case 'query-changed':
    case 'where-changed':
    case 'transform-changed':
    case 'rename-changed':
      return `set "${difference.code.slice(0, -'-changed'.length)}" back`;
    default:
      return undefined;
  }
}

function restoring(drift: readonly Difference[]): string {
  const steps = new Set(drift.flatMap((difference) => formerSetting(difference) ?? []));
  return steps.size === 0 ? '' : `If the change of the settings is a mistake, ${[...steps].join(' and ')}. `;
}

/** Labels are missing if the source has got new ones, too. */
const AT_DESTINATION: readonly Difference['code'][] = [...ONLY_AT_DESTINATION, 'enum-labels-missing'];

function resultOf(drift: readonly Difference[]): string {
  const ofTables = drift.filter((difference) => formerSetting(difference) === undefined);
  if (ofTables.length === 0) return ' with the new settings';
  if (ofTables.every(({ code }) => code === 'source-recreated')) return '';
  return ofTables.every(({ code }) => AT_DESTINATION.includes(code))
    ? ' in the shape of the source'
    : ' in its new shape';
}
