import pg from 'pg';
import { expect, test } from 'vitest';
import { refusalFrom } from '../../../src/sync/reshape/must-survive.ts';

const answer = (more: Partial<pg.DatabaseError>) =>
  Object.assign(new pg.DatabaseError('refused', 7, 'error'), { code: 'P0001', ...more });

test.each([
  ['exec_stmt_raise', 'view public.v: refused (Frozen.) (hint: Ask ann.)'],
  ['reportDependentObjects', 'view public.v: refused (Frozen.)'],
])('a refusal from %s', (routine, expected) => {
  const error = answer({ routine, detail: 'Frozen.', hint: 'Ask ann.' });
  const refusal = refusalFrom(error, { schema: 'public', table: 't' }, 'view public.v');
  expect((refusal as Error).message.endsWith(`: ${expected}`)).toBe(true);
});

test('an object that increp may not create is not to be dropped', () => {
  const error = answer({ code: '42501' });
  expect(refusalFrom(error, { schema: 'public', table: 't' }, 'view public.v')).toMatchObject({
    next: 'The old table stays in use. At the destination, give the role of increp the privilege that the message names. Then run "increp sync".',
  });
});
