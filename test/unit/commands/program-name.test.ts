import { expect, test } from 'vitest';
import { programName } from '../../../src/commands/terminal/program-name.ts';

const start = { directory: undefined, environment: {}, workingDirectory: '/home/ann' };

test('a printed command begins as the user would type it', () => {
  expect(programName(start, true)).toBe('increp');
  expect(programName({ ...start, environment: { npm_command: 'exec' } }, true)).toBe('npx increp');
  expect(programName({ ...start, directory: 'my shop' }, true)).toBe("increp -C 'my shop'");
});

test('output that is read elsewhere names the whole path, also of INCREP_DIR', () => {
  const environment = { INCREP_DIR: '/srv/shop' };
  expect(programName({ ...start, directory: '../shop' }, false)).toBe('increp -C /home/shop');
  expect(programName({ ...start, environment }, false)).toBe('increp -C /srv/shop');
  expect(programName({ ...start, environment }, true)).toBe('increp');
});
