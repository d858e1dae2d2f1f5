import { expect, test } from 'vitest';
import { typedCommand } from '../../../src/commands/terminal/typed-command.ts';

const start = { directory: undefined, environment: {}, workingDirectory: '/home/ann' };

test('a printed command begins as the user would type it', () => {
  expect(typedCommand(start, 'sync', true)).toBe('increp sync');
  expect(typedCommand({ ...start, program: '/opt/node /opt/increp.js' }, 'sync', false)).toBe(
    '/opt/node /opt/increp.js sync',
  );
  expect(typedCommand({ ...start, environment: { npm_command: 'exec' } }, 'sync', true)).toBe(
    'npx increp sync',
  );
  expect(typedCommand({ ...start, directory: 'my shop' }, 'sync', true)).toBe("increp -C 'my shop' sync");
});

test('output that is read elsewhere names the whole path, also of INCREP_DIR', () => {
  const environment = { INCREP_DIR: '/srv/shop' };
  expect(typedCommand({ ...start, directory: '../shop' }, 'sync', false)).toBe('increp -C /home/shop sync');
  expect(typedCommand({ ...start, environment }, 'sync', false)).toBe('increp -C /srv/shop sync');
  expect(typedCommand({ ...start, environment }, 'sync', true)).toBe('increp sync');
});

test('help needs no directory', () => {
  expect(typedCommand({ ...start, directory: '/srv/shop' }, 'help', true)).toBe('increp help');
});
