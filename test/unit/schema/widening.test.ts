import { expect, test } from 'vitest';
import { isWidening } from '../../../src/schema/widening.ts';

test.each([
  ['smallint', 'integer'],
  ['smallint', 'bigint'],
  ['integer', 'bigint'],
  ['integer', 'numeric'],
  ['integer', 'numeric(12,2)'],
  ['bigint', 'numeric(19,0)'],
  ['real', 'double precision'],
  ['character varying(20)', 'character varying(21)'],
  ['character varying(20)', 'character varying'],
  ['character varying(20)', 'text'],
  ['character varying(20)[]', 'text[]'],
  ['text', 'character varying'],
  ['numeric(8,2)', 'numeric'],
  ['numeric(8,2)', 'numeric(9,2)'],
  ['numeric(8,2)', 'numeric(9,3)'],
  ['numeric(5,-3)', 'numeric(9,0)'],
  ['timestamp(3) without time zone', 'timestamp without time zone'],
  ['timestamp(3) with time zone', 'timestamp(6) with time zone'],
  ['time(0) without time zone', 'time(3) without time zone'],
  ['interval(2)', 'interval'],
  ['bit varying(8)', 'bit varying'],
  ['date', 'timestamp without time zone'],
])('%s to %s', (from, to) => {
  expect(isWidening(from, to)).toBe(true);
  expect(isWidening(to, from), 'and not back').toBe(from === 'text');
});

test.each([
  ['integer', 'text'],
  ['bigint', 'double precision'],
  ['bigint', 'numeric(18,0)'],
  ['integer', 'numeric(10,1)'],
  ['numeric(8,2)', 'numeric(9,4)'],
  ['numeric', 'numeric(1000,2)'],
  ['character(5)', 'text'],
  ['character(5)', 'character(6)'],
  ['text', 'character varying(5)'],
  ['character varying(5)', 'text[]'],
  ['bit(8)', 'bit(9)'],
  ['timestamp without time zone', 'timestamp with time zone'],
  ['timestamp without time zone', 'timestamp(3) without time zone'],
  ['date', 'timestamp with time zone'],
  ['interval', 'interval day to second'],
  ['json', 'jsonb'],
  ['public."My Type"', 'text'],
  ['public.mood', 'public.feeling'],
])('not %s to %s', (from, to) => {
  expect(isWidening(from, to)).toBe(false);
});
