/**
 * Each code of the catalogue, brought about on real servers and read as an operator would: what happened, on which side,
 * to which table, why, and what to do next. docs/errors.md shows the very same texts. The failures are in failures-*.ts.
 */
import { expect, test } from 'vitest';
import { ERROR_PAGES } from '../../scripts/error-pages/error-pages.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import { provoke } from '../support/failure.ts';
import type { Failure } from '../support/failure.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { testWithSshd } from '../support/sshd.ts';
import { oneIn, slowTest } from '../support/tier.ts';
import { CONFIGURATION_FAILURES } from './failures-configuration.ts';
import { CONNECTION_FAILURES, WITH_SSH } from './failures-connections.ts';
import { LOCK_FAILURES } from './failures-locks.ts';
import { DESTINATION_FAILURES } from './failures-destination.ts';
import { COPY_FAILURES, WITH_PG_DUMP } from './failures-during-copy.ts';

const FAILURES = [
  ...CONFIGURATION_FAILURES,
  ...CONNECTION_FAILURES,
  ...LOCK_FAILURES,
  ...DESTINATION_FAILURES,
  ...COPY_FAILURES,
];

async function check(failure: Failure): Promise<void> {
  const { result, text } = await provoke(failure);
  const { code, sqlstate, exitCode = ERROR_CLASSES[code].exitCode, says, next } = failure;
  const [what, then] = text.split(/^\s*next: +/m);
  expect({ text, exitCode: result.exitCode }).toMatchObject({ exitCode });
  expect(text).toContain(sqlstate === undefined ? `(${code})` : `(${code}, SQLSTATE ${sqlstate})`);
  for (const part of says) expect(what).toMatch(part);
  expect(then).toMatch(next);
  if (!failure.isOther) expect(text.split('\n')).toEqual(ERROR_PAGES[code].example);
}

/** They hold only after several attempts. */
const TAKES_LONG: readonly string[] = [
  'SCHEMA_CHANGED',
  'LOCK_TIMEOUT',
  'CONFLICT',
  'RUN_LOCKED',
  'SCHEMA_CHANGE_REFUSED',
  'INTERRUPTED',
];

test.each(
  oneIn(
    2,
    FAILURES.filter(({ code }) => !TAKES_LONG.includes(code)),
  ),
)('$code: $title', check);
slowTest.each(FAILURES.filter(({ code }) => TAKES_LONG.includes(code)))('$code: $title', check);
testWithPgDump.each(WITH_PG_DUMP)('$code: $title', check);
testWithSshd.each(WITH_SSH)('$code: $title', check);

test('every code of the catalogue is brought about', () => {
  const forced = new Set([...FAILURES, ...WITH_SSH, ...WITH_PG_DUMP].map(({ code }) => code));
  // It takes a server that becomes another one, which tests that share a server must not do: server-changed.test.ts.
  forced.add('SERVER_CHANGED');
  // It takes a server that waits for a standby, which tests that share a server cannot have: synchronous-standby.test.ts.
  forced.add('COMMIT_UNCONFIRMED');
  expect([...forced].toSorted()).toEqual(Object.keys(ERROR_CLASSES).toSorted());
});
