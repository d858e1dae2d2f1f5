import { expect, test } from 'vitest';
import { readBastionAddress, sshCommand } from '../../../src/config/connection/bastion.ts';
import { CONNECTIONS, pipelineDirectory, TABLE } from './pipeline-directory.ts';

const NOTHING = { user: undefined, port: undefined };

test.each([
  ['bastion', { ...NOTHING, host: 'bastion' }],
  ['deploy@bastion.example.com:2222', { user: 'deploy', host: 'bastion.example.com', port: 2222 }],
  ['ssh://deploy@bastion:22/', { user: 'deploy', host: 'bastion', port: 22 }],
  ['deploy@[::1]:22', { user: 'deploy', host: '::1', port: 22 }],
  ['[fe80::1%eth0]', { ...NOTHING, host: 'fe80::1%eth0' }],
  ['reader@shop@psm.example.com', { ...NOTHING, user: 'reader@shop', host: 'psm.example.com' }],
  ['my_host-1', { ...NOTHING, host: 'my_host-1' }],
])('%s is an address', (text, address) => {
  expect(readBastionAddress(text)).toEqual(address);
});

test.each([
  ['-oProxyCommand=x', 'does not name a host'],
  ['deploy@-oProxyCommand=x', 'does not name a host'],
  ['-l@bastion', 'does not name a user'],
  ['bastion -v', 'does not name a host'],
  ['$(id)', 'does not name a host'],
  ['bastion:', 'does not name a host'],
  ['bastion:0', 'a port that is not from 1 to 65535'],
  ['bastion:65536', 'a port that is not from 1 to 65535'],
  ['::1', 'write an IPv6 address in brackets'],
  ['one,two', 'set ProxyJump'],
  ['deploy:hidden-77@bastion', 'increp uses no password for ssh'],
  ['', 'does not name a host'],
  ['@bastion', 'does not name a user'],
])('%j is refused', (text, said) => {
  const read = readBastionAddress(text);
  expect(read).toEqual({ fault: expect.stringContaining(said) as string });
  expect(JSON.stringify(read)).not.toContain('hidden-77');
});

const REFUSED: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
  [{ SOURCE_SSH: '-x' }, 'SOURCE_SSH (the environment): does not name a host'],
  [{ SOURCE_SSH_COMMAND: 'ssh -v' }, 'has no effect without SOURCE_SSH'],
  [{ SOURCE_SSH: 'b', SOURCE_SSH_COMMAND: 'ssh $X' }, 'SOURCE_SSH_COMMAND (the environment): contains "$"'],
  [
    { SOURCE_SSH: 'b', SOURCE_SSH_COMMAND: 'ssh -o stricthostkeychecking=no' },
    'contains stricthostkeychecking, which increp sets itself; remove it',
  ],
  [{ SOURCE_SSH: 'b', SOURCE_SSH_COMMAND: 'ssh -vf -F x' }, 'contains -vf, which increp sets itself'],
  [{ SOURCE_SSH: 'b', SOURCE_HOST: '/run/a:b' }, 'cannot reach a socket directory with'],
];

test.each(REFUSED)('%j is a problem of the configuration', async (change, said) => {
  await using pipeline = await pipelineDirectory();
  expect((await pipeline.refusal({ ...CONNECTIONS, ...change })).message).toContain(said);
});

test('none is no tunnel, and the environment can say so', async () => {
  await using pipeline = await pipelineDirectory();
  const load = async (more: Record<string, string>) =>
    (await pipeline.load({ ...CONNECTIONS, ...more })).source.bastion;
  expect(await load({ SOURCE_SSH: 'none', SOURCE_SSH_COMMAND: 'ssh -v' })).toBeUndefined();
  expect(await load({ SOURCE_SSH: 'deploy@b', SOURCE_SSH_COMMAND: `ssh -F 'my config'` })).toEqual({
    user: 'deploy',
    host: 'b',
    port: undefined,
    command: ['ssh', '-F', 'my config'],
    variable: 'SOURCE_SSH',
  });
});

test('several destinations share DEST_SSH, and an entry can have its own', async () => {
  await using pipeline = await pipelineDirectory({
    'tables-config.json': JSON.stringify({
      destinations: [
        { name: 'one', url: 'postgresql://a@db/x' },
        { name: 'two', url: 'postgresql://a@db/x', ssh: 'other:2222' },
        { name: 'three', url: 'postgresql://a@db/x', ssh: 'none' },
      ],
      tables: [TABLE],
    }),
  });
  const environment = { SOURCE_URL: 'postgresql://reader@db/shop', DEST_SSH: 'deploy@shared' };
  const { destinations } = await pipeline.load(environment);
  expect(destinations.map(({ connection: { bastion } }) => bastion?.host)).toEqual([
    'shared',
    'other',
    undefined,
  ]);
});

test('a command for a user is quoted for a shell', () => {
  const bastion = {
    user: 'a',
    host: 'b',
    port: 22,
    command: ['ssh', '-F', 'my config'],
    variable: 'SOURCE_SSH',
  };
  expect(sshCommand(bastion, ['-W', 'db:5432'], ['exit'])).toBe(
    "ssh -F 'my config' -p 22 -W db:5432 a@b exit",
  );
});
