import { expect, test } from 'vitest';
import { countdown, restText } from '../../../src/observe/countdown.ts';

const at = (text: string) => new Date(`2026-03-31T${text}`);

test('the line says when and in how long, with the day where it is another one', () => {
  expect(restText(at('12:00:09'), at('12:00:30'), 20.4)).toBe('next run at 12:00:30 (in 21 s)');
  expect(restText(at('23:59:50'), new Date('2026-04-01T00:59:50'), 3600)).toBe(
    'next run at 2026-04-01 00:59:50 (in 60 min)',
  );
});

test('the line never fills the terminal, is drawn anew when that changes, and leaves nothing behind', () => {
  const written: string[] = [];
  const look = { color: false, width: 20, isUnicode: true };
  let redraw = () => {};
  let isListening = true;
  const line = countdown(
    {
      style: look,
      write: (text) => written.push(text),
      onResize: (listener) => {
        redraw = listener;
        return () => (isListening = false);
      },
    },
    30,
  );
  // oxlint-disable-next-line no-control-regex -- the escape sequences are what is tested
  expect(written.at(-1)).toMatch(/^\rnext run at .{6}…\u001b\[J\r$/u);
  look.width = 80;
  redraw();
  expect(written.at(-1)).toMatch(/\(in 30 s\)/);
  line[Symbol.dispose]();
  expect(written.at(-1)).toBe('\r\u001b[J');
  expect(isListening).toBe(false);
});
