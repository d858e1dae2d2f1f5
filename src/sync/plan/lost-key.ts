/** A constraint on `unique_cols` that the source had and has no more, for example because another primary key replaced it. */
import { otherKeyStep, unenforcedKeyText } from '../../report/key-texts.ts';
import type { Relation } from '../../schema/relations.ts';
import { isKeyEnforced, isSameKey, keyOfRows } from '../../schema/row-identity.ts';
import { tableCommand } from '../../shell-word.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { Plan } from './plan.ts';

type WithState = Pick<TableFacts, 'saved' | 'settings'>;

/** For the next state. Only a requested load accepts that the constraint is gone. */
export const wasKeyEnforced = (facts: WithState, plan: Plan, source: Relation): boolean =>
  isKeyEnforced(facts.settings, source) || (!isAccepted(plan) && wasEnforcedBefore(facts));

/** At each sync until the key is enforced again, is another one, or a load of the table is requested. */
export function lostKeyWarning(facts: WithState, plan: Plan): string[] {
  const { settings } = facts;
  if (plan.kind === 'refuse' || plan.kind === 'skip' || isAccepted(plan)) return [];
  if (!wasEnforcedBefore(facts) || isKeyEnforced(settings, plan.source)) return [];
  const key = keyOfRows(settings, plan.source);
  const other = otherKeyStep(plan.source, settings.replicationKey);
  const text = unenforcedKeyText(key, 'the source no longer keeps');
  return [
    `${text}. ${other === undefined ? '' : `${other}. `}If (${key.columns.join(', ')}) still identifies each row, accept the change: "${tableCommand('sync', settings.name, '--full-refresh')}".`,
  ];
}

const isAccepted = (plan: Plan): boolean =>
  plan.kind === 'load' && plan.reasons.some(({ code }) => code === 'full-refresh-requested');

const wasEnforcedBefore = ({ saved, settings }: WithState): boolean =>
  saved.kind === 'record' &&
  saved.record.isKeyEnforced === true &&
  isSameKey(saved.record.mergeKey, settings.mergeKey);
