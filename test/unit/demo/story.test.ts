import { expect, test } from 'vitest';
import { createStory } from '../../../src/demo/story.ts';

test('the lines of one quoted text have one indent', () => {
  let printed = '';
  const style = { color: false, width: 30, isUnicode: true };
  const story = createStory({ out: (text) => void (printed += text), style });
  story.quote('  warning: one two three four five six seven eight nine ten eleven');
  const indents = printed
    .trimEnd()
    .split('\n')
    .map((line) => /^ \| */.exec(line)?.[0].length);
  expect(indents).toEqual([5, 7, 7]);
});
