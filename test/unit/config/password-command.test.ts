import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { withoutOwnSecrets } from '../../../src/config/connection/password-command.ts';
import { readCommand } from '../../../src/shell-word.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const DESTINATION = { DEST_URL: 'postgresql://a@d/e' };

test.each([
  'pass show db/reader',
  '  two   spaces  ',
  `op read 'op://vault/one item/password'`,
  `a"b c"'d e'\\ f g`,
  String.raw`"a \"quoted\" \\ word" 'a \ b' \\ \' "\x"`,
  `sh -c 'vault read | jq -r ".data[]" && echo $HOME'`,
  `x "" '' x=1 * ?`,
  'a\tb\nc',
  '"\\$HOME" \'$HOME | x\'',
])('a command is split as by a shell: %j', (text) => {
  const command = readCommand(text);
  const line = text.replaceAll('\n', ' ');
  const shell = execFileSync('sh', ['-fc', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  expect(command).toEqual({ words: shell.split('\0').slice(0, -1) });
});

test.each([
  ['vault read | jq', '|'],
  ['echo $SECRET', '$'],
  ['echo "$SECRET"', '$'],
  ['a && b', '&'],
  ['a > b', '>'],
  ['echo `x`', '`'],
])('a command that needs a shell is refused: %s', (text, sign) => {
  expect(readCommand(text)).toEqual({
    fault: `contains "${sign}", which needs a shell; write it as: sh -c '...'`,
  });
});

test.each([`a 'b`, 'a "b', 'a \\'])('an open quote is refused: %s', (text) => {
  expect(readCommand(text)).toEqual({ fault: 'contains a quote or backslash that is not closed' });
});

test('a command contradicts every other password, and both are named', async () => {
  await using pipeline = await pipelineDirectory({ secret: 'from-a-file' });
  const command = { SOURCE_PASSWORD_COMMAND: 'pass show x' };
  const refused = async (environment: Record<string, string>) =>
    (await pipeline.refusal(environment)).message;
  expect(await refused({ ...CONNECTIONS, ...command, SOURCE_PASSWORD: 'hidden-77' })).toContain(
    'SOURCE_PASSWORD_COMMAND (the environment): set together with SOURCE_PASSWORD (the environment)',
  );
  expect(await refused({ ...CONNECTIONS, ...command, SOURCE_PASSWORD_FILE: 'secret' })).toMatch(
    /SOURCE_PASSWORD_COMMAND \(the environment\): set together with SOURCE_PASSWORD_FILE \(.*secret\)/,
  );
  const url = { ...DESTINATION, ...command, SOURCE_URL: 'postgresql://a:hidden-77@b/c' };
  expect(await refused(url)).toContain('set together with the password in SOURCE_URL');
  expect(await refused(url)).not.toContain('hidden-77');
  await pipeline.load({ ...url, SOURCE_URL: 'postgresql://a@b/c' });
});

test.each([
  [{ SOURCE_PASSWORD_TTL: '10m' }, 'SOURCE_PASSWORD_TTL (the environment): has no effect without'],
  [{ SOURCE_PASSWORD_COMMAND: 'x', SOURCE_PASSWORD_TTL: 'soon' }, '"soon" is not a duration of at least 1s'],
  [{ SOURCE_PASSWORD_COMMAND: 'x | y' }, 'contains "|", which needs a shell'],
])('%j is a problem of the configuration', async (change, said) => {
  await using pipeline = await pipelineDirectory();
  expect((await pipeline.refusal({ ...CONNECTIONS, ...change })).message).toContain(said);
});

test('several destinations have no command', async () => {
  await using pipeline = await pipelineDirectory();
  const { message } = await pipeline.refusal({
    SOURCE_URL: 'postgresql://a@b/c',
    DEST_URLS: 'one=postgresql://a@c/d two=postgresql://a@e/f',
    DEST_PASSWORD_COMMAND: 'pass show x',
  });
  expect(message).toContain('DEST_PASSWORD_COMMAND (the environment): set together with DEST_URLS');
  expect(message).toContain('password file (.pgpass)');
});

test('another program gets no secret of increp, of the service or of its connections', () => {
  const kept = {
    HOME: '/home/x',
    VAULT_TOKEN: 'x',
    CONNECTION_SHOP_HOST: 'db',
    SOURCE_HOST: 'db',
    OTHER_URL: 'x',
  };
  const secrets = [
    'SOURCE_URL',
    'DEST_URLS',
    'WEBHOOK_SECRET',
    'SERVE_DATABASE_URL',
    'SERVE_DATABASE_PASSWORD',
  ]
    .concat(
      'SERVE_HOOK_KEY',
      'CONNECTION_SHOP_URL',
      'CONNECTION_BIG_SHOP_PASSWORD',
      'CONNECTION_A_SSLPASSWORD',
    )
    .map((name) => [name, 'x']);
  expect(withoutOwnSecrets({ ...kept, ...Object.fromEntries(secrets) })).toEqual(kept);
});
