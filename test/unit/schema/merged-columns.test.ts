import { expect, test } from 'vitest';
import { converges } from '../../../src/schema/merged-columns.ts';

const seen = (expression: string, column = 'seen') => ({ column, name: 'seen', expression });

test.each([
  'greatest(source.seen, destination.seen)',
  'LEAST(destination."seen",\n source.seen)',
  ' greatest( source.seen , destination.seen ) ',
])('opposite pipelines with %s reach one value', (expression) => {
  expect(converges(seen(expression))).toBe(true);
});

test.each([
  'source.seen + destination.seen',
  'greatest(source.seen, destination.other)',
  'greatest(source.seen, source.seen)',
  'greatest(source.seen, destination.seen) + 1',
  'greatest(source.seen, destination.seen, now())',
  'my.greatest(source.seen, destination.seen)',
  'coalesce(source.seen, destination.seen)',
  '(source.seen, destination.seen)',
])('opposite pipelines with %s may not', (expression) => {
  expect(converges(seen(expression))).toBe(false);
});

test('each row has its own names', () => {
  expect(converges(seen('greatest(source.last, destination.seen)', 'last'))).toBe(true);
  expect(converges(seen('greatest(source.seen, destination.seen)', 'last'))).toBe(false);
});
