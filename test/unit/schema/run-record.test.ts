import { expect, test } from 'vitest';
import {
  failureBefore,
  isEqualSince,
  plannedSince,
  type KnownSince,
} from '../../../src/schema/run-record.ts';

const recorded = (code: string, sqlstate: string | null = null) => ({
  error_code: code,
  error_message: 'It failed',
  error_hint: 'Do this.',
  sqlstate,
});

const GONE = { message: 'It failed; the cause no longer applies, so the next sync continues', hint: '' };
const ANSWERED = { message: 'It failed; both servers answer now', hint: '' };
const MAYBE = { message: 'It failed; the cause may be fixed since', hint: 'Do this.' };
const SAME = { message: 'It failed', hint: 'Do this.' };

test.each<[code: string, known: KnownSince, failure: { message: string; hint: string }]>([
  ['SCHEMA_CHANGE_REFUSED', 'planned', GONE],
  ['SCHEMA_CHANGE_REFUSED', 'planned-without-log', GONE],
  ['SCHEMA_CHANGE_REFUSED', 'connected', SAME],
  ['TABLE_NOT_FOUND', 'planned', GONE],
  ['TABLE_NOT_FOUND', 'planned-without-log', MAYBE],
  ['COLUMN_NOT_FOUND', 'planned', GONE],
  ['COLUMN_NOT_FOUND', 'answered', MAYBE],
  ['PRIVILEGE_MISSING', 'planned', GONE],
  ['PRIVILEGE_MISSING', 'planned-without-log', MAYBE],
  ['CONNECTION_FAILED', 'planned', ANSWERED],
  ['AUTHENTICATION_FAILED', 'connected', ANSWERED],
  ['TOO_MANY_CONNECTIONS', 'answered', ANSWERED],
  ['CONSTRAINT_VIOLATED', 'planned', SAME],
  ['DEPENDENT_OBJECTS', 'settled', GONE],
  [
    'DEPENDENT_OBJECTS',
    'planned',
    { ...MAYBE, hint: 'The next sync names the objects that are still there.' },
  ],
  ['DEPENDENT_OBJECTS', 'answered', MAYBE],
  [
    'DELETE_LIMIT_EXCEEDED',
    'equal',
    {
      message: 'It failed',
      hint: 'A later comparison found the table equal, so the next successful sync ends this failure.',
    },
  ],
])('%s, if the table is %s', (code, known, failure) => {
  expect(failureBefore(recorded(code), known)).toMatchObject(failure);
});

test.each([
  ['initial', 'loads the table'],
  ['reset', 'loads the table again'],
  ['incremental', 'continues'],
])('after a fixed cause, the sentence names what the next sync does: %s', (action, does) => {
  const { message } = failureBefore(recorded('SCHEMA_CHANGE_REFUSED'), 'planned', action);
  expect(message).toMatch(new RegExp(`so the next sync ${does}$`));
});

test('a sentence stands below an excerpt', () => {
  const excerpt = 'column "mail" does not exist\n    1 | md5(mail)\n            ^';
  const record = { ...recorded('SQL_INVALID'), error_message: excerpt };
  expect(failureBefore(record, 'planned').message).toBe(
    `${excerpt}\nThe cause no longer applies, so the next sync continues`,
  );
});

test('a server that was starting has answered since, but a lost connection may be lost again', () => {
  expect(failureBefore(recorded('CONNECTION_LOST', '57P03'))).toMatchObject(ANSWERED);
  expect(failureBefore(recorded('CONNECTION_LOST'))).toMatchObject(SAME);
});

test('a changed configuration is no reason to forget the step', () => {
  expect(failureBefore(recorded('CONNECTION_FAILED'), 'reconfigured')).toMatchObject({
    message: 'It failed; the configuration changed after this failure, so the cause may be fixed since',
    hint: 'Do this.',
  });
});

test('the step of an old lock names no session', () => {
  for (const known of ['planned', 'connected', 'reconfigured'] as const)
    expect(failureBefore(recorded('LOCK_TIMEOUT'), known).hint).toContain('the error names the session');
});

test('a plan without an error does not show whether a deletion log is there', () => {
  const failure = { error_code: 'TABLE_NOT_FOUND', error_hint: null, action: 'reset' };
  expect(plannedSince(failure, { deletionLog: undefined, keepsShape: true, mayStage: true })).toBe('planned');
  expect(plannedSince(failure, { deletionLog: { table: 'log' }, keepsShape: true, mayStage: true })).toBe(
    'planned-without-log',
  );
});

test('a plan without an error decides the privileges that the server did not refuse itself', () => {
  expect(failureBefore(recorded('PRIVILEGE_MISSING', '42501'), 'planned')).toMatchObject(MAYBE);
  const failure = { error_code: 'PRIVILEGE_MISSING', error_hint: null, action: 'reset' };
  expect(plannedSince(failure, { deletionLog: undefined, keepsShape: true, mayStage: false })).toBe(
    'answered',
  );
});

test('dependent objects are no obstacle to a table that keeps its shape', () => {
  const failure = { error_code: 'DEPENDENT_OBJECTS', error_hint: null, action: 'reset' };
  expect(plannedSince(failure, { deletionLog: undefined, keepsShape: true, mayStage: true })).toBe('settled');
  expect(plannedSince(failure, { deletionLog: undefined, keepsShape: false, mayStage: true })).toBe(
    'planned',
  );
});

test('a load that is not due any more, or within the limit, removes too many rows no more', () => {
  const since = (action: string, plan: { keepsShape: boolean; mayLoad?: boolean; loadsBecause?: string }) =>
    plannedSince(
      { error_code: 'DELETE_LIMIT_EXCEEDED', error_hint: 'because where is new: a.', action },
      { deletionLog: undefined, mayStage: true, ...plan },
    );
  expect(since('reset', { keepsShape: true })).toBe('settled');
  expect(since('reset', { keepsShape: false, mayLoad: true })).toBe('settled');
  expect(since('reset', { keepsShape: false })).toBe('planned');
  expect(since('incremental', { keepsShape: true })).toBe('planned');
  expect(since('reset', { keepsShape: false, loadsBecause: 'where is new: a' })).toBe('planned');
  expect(since('reset', { keepsShape: false, loadsBecause: 'where is new: b' })).toBe('loads-otherwise');
});

test('a later comparison answers the refusal to remove rows', () => {
  const failure = { error_code: 'DELETE_LIMIT_EXCEEDED', started_at: '2026-01-02T00:00:00Z' };
  expect(isEqualSince(failure, '2026-01-03T00:00:00Z')).toBe(true);
  expect(isEqualSince(failure, '2026-01-01T00:00:00Z')).toBe(false);
  expect(isEqualSince(failure, undefined)).toBe(false);
  expect(isEqualSince({ ...failure, error_code: 'CONSTRAINT_VIOLATED' }, '2026-01-03T00:00:00Z')).toBe(false);
});
