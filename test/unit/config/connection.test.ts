import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import { CERTIFICATE, EXPIRED_CERTIFICATE, KEY } from './pem.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const DESTINATION = { DEST_HOST: 'warehouse', DEST_USERNAME: 'writer', DEST_DB: 'analytics' };
const NO_TLS = {
  rootCert: undefined,
  cert: undefined,
  key: undefined,
  keyPassword: undefined,
  crl: undefined,
};

describe('a connection', () => {
  test('is made of individual variables', async () => {
    await using pipeline = await pipelineDirectory();
    const { source } = await pipeline.load({ ...CONNECTIONS, SOURCE_PORT: '5433', SOURCE_PASSWORD: 'pass' });
    expect(source).toMatchObject({
      side: 'source',
      host: 'db',
      hostAddress: undefined,
      otherServers: [],
      port: 5433,
      user: 'reader',
      credential: { known: 'pass' },
      database: 'shop',
      schema: 'public',
      isSchemaGiven: false,
      parameters: NO_PARAMETERS,
      tls: { mode: 'prefer', ...NO_TLS },
    });
  });

  test('is made of a URL, which may be accompanied by a schema and TLS variables', async () => {
    await using pipeline = await pipelineDirectory({ 'ca.pem': CERTIFICATE });
    const { source } = await pipeline.load({
      ...DESTINATION,
      SOURCE_URL: 'postgres://reader:p%40ss@db/shop?sslmode=verify-full',
      SOURCE_SSLROOTCERT: 'ca.pem',
      SOURCE_SCHEMA: 'sales',
    });
    expect(source).toMatchObject({
      host: 'db',
      port: 5432,
      user: 'reader',
      credential: { known: 'p@ss' },
      schema: 'sales',
    });
    expect(source.tls).toMatchObject({ mode: 'verify-full', rootCert: join(pipeline.directory, 'ca.pem') });
  });

  test('is refused when a URL and individual variables contradict each other', async () => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, SOURCE_URL: 'postgres://a@b/c' });
    expect(message).toContain(
      'SOURCE_URL (the environment): set together with SOURCE_HOST, SOURCE_USERNAME, SOURCE_DB; use either the URL or the individual variables',
    );
  });

  test('is made of a URL without a password, and the password of a variable or a file', async () => {
    await using pipeline = await pipelineDirectory({ secret: 'of-a-file\n' });
    const { source, destination } = await pipeline.load({
      SOURCE_URL: 'postgres://a@b/c',
      SOURCE_PASSWORD: 'of-a-variable',
      DEST_URL: 'host=d user=e dbname=f',
      DEST_PASSWORD_FILE: 'secret',
    });
    expect(source.credential.known).toBe('of-a-variable');
    expect(destination.credential.known).toBe('of-a-file');
    await pipeline.write('secret', 'renewed');
    expect(await destination.credential.renewed('of-a-file', { seconds: 1, signal: undefined })).toBe(
      'renewed',
    );
  });

  test('is refused when the URL and a variable both have a password', async () => {
    await using pipeline = await pipelineDirectory();
    const two = { SOURCE_URL: 'postgres://a:hidden-77@b/c', SOURCE_PASSWORD: 'hidden-78' };
    const { message } = await pipeline.refusal({ ...DESTINATION, ...two });
    expect(message).toMatch(/^1 problem /);
    expect(message).toContain(
      'SOURCE_PASSWORD (the environment): set together with the password in SOURCE_URL (the environment); remove one of them',
    );
    expect(message).not.toContain('hidden');
  });

  test('is refused once when its URL is also malformed, with the form first', async () => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, SOURCE_URL: 'mysql://a@b/c' });
    expect(message).toMatch(/^1 problem /);
    expect(message).toMatch(
      /SOURCE_URL \(the environment\): not a connection URL .*; also set together with SOURCE_HOST, /,
    );
  });

  test('is refused when sslmode is given twice', async () => {
    await using pipeline = await pipelineDirectory();
    const url = { SOURCE_URL: 'postgres://a@b/c?sslmode=require', SOURCE_SSLMODE: 'disable' };
    const { message } = await pipeline.refusal({ ...DESTINATION, ...url });
    expect(message).toContain('SOURCE_SSLMODE (the environment): set together with sslmode in SOURCE_URL');
  });

  test('may go through a Unix socket', async () => {
    await using pipeline = await pipelineDirectory();
    const { source } = await pipeline.load({ ...CONNECTIONS, SOURCE_HOST: '/run/postgresql' });
    expect(source.host).toBe('/run/postgresql');
  });

  test('lacks nothing by accident: every missing field is named, and the URL of a side without any', async () => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ SOURCE_PORT: '5432' });
    const missing = [...message.matchAll(/- (\w+): not set; write \1=/g)].map(([, name]) => name);
    const ofSource = Object.keys(CONNECTIONS).filter((name) => name.startsWith('SOURCE_'));
    expect(missing).toEqual([...ofSource, 'DEST_URL']);
  });

  test.each([
    ['SOURCE_PORT', '0', '"0" is not a port; allowed: 1 to 65535'],
    ['SOURCE_PORT', '65536', '"65536" is not a port'],
    ['SOURCE_PORT', ' 5432', '" 5432" is not a port'],
    ['SOURCE_HOST', 'db:5433', '"db:5433" contains a port; move it to the variable for the port'],
    ['SOURCE_PORT', '1,2', 'there are 2 ports for 1 hosts'],
    ['SOURCE_HOST', 'db ', '"db " is not a host'],
    ['SOURCE_HOST', 'run/postgresql', '"run/postgresql" is not a host'],
    ['SOURCE_SCHEMA', 'x'.repeat(64), 'is not a schema; allowed: a name of 1 to 63 bytes'],
    ['DEST_SCHEMA', 'é'.repeat(32), 'is not a schema'],
  ])('with %s=%s is refused', async (name, value, what) => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, [name]: value });
    expect(message).toMatch(/^1 problem /);
    expect(message).toContain(`${name} (the environment): `);
    expect(message).toContain(what);
  });

  test.each(['2001:db8::1', '::1', '192.0.2.7', 'db.example.com'])('may go to the host %s', async (host) => {
    await using pipeline = await pipelineDirectory();
    const { destination } = await pipeline.load({ ...CONNECTIONS, DEST_HOST: host });
    expect(destination.host).toBe(host);
  });
});

test('the destination schema is called like the source schema unless it is named', async () => {
  await using pipeline = await pipelineDirectory();
  const inherited = await pipeline.load({ ...CONNECTIONS, SOURCE_SCHEMA: 'sales' });
  expect(inherited.destination.schema).toBe('sales');
  const named = await pipeline.load({ ...CONNECTIONS, SOURCE_SCHEMA: 'sales', DEST_SCHEMA: 'copy' });
  expect(named.destination.schema).toBe('copy');
});

describe('TLS', () => {
  test('takes PEM files, relative to the directory of the pipeline', async () => {
    await using pipeline = await pipelineDirectory({
      'certs/ca.pem': CERTIFICATE,
      'certs/a.pem': CERTIFICATE,
      'certs/a.key': KEY,
    });
    const { source } = await pipeline.load({
      ...CONNECTIONS,
      SOURCE_SSLMODE: 'verify-ca',
      SOURCE_SSLROOTCERT: 'certs/ca.pem',
      SOURCE_SSLCERT: join(pipeline.directory, 'certs/a.pem'),
      SOURCE_SSLKEY: './certs/a.key',
    });
    expect(source.tls).toEqual({
      mode: 'verify-ca',
      rootCert: join(pipeline.directory, 'certs/ca.pem'),
      cert: join(pipeline.directory, 'certs/a.pem'),
      key: join(pipeline.directory, 'certs/a.key'),
    });
  });

  test('with an unknown mode is refused with the nearest one', async () => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, DEST_SSLMODE: 'verify_ful' });
    expect(message).toContain('DEST_SSLMODE (the environment): sslmode "verify_ful" is unknown; allowed: ');
    expect(message).toContain('did you mean verify-full?');
  });

  test.each(['verify-ca', 'verify-full'])('with %s needs to be told whom to trust', async (mode) => {
    await using pipeline = await pipelineDirectory();
    const { message } = await pipeline.refusal({ ...CONNECTIONS, DEST_SSLMODE: mode });
    expect(message).toContain(
      `sslmode "${mode}" needs a file with the trusted authorities; write DEST_SSLROOTCERT=ca.pem`,
    );
  });

  test('with a file that does not exist is refused', async () => {
    await using pipeline = await pipelineDirectory();
    const url = 'postgres://a@b/c?sslmode=verify-ca&sslrootcert=no.pem';
    const { message } = await pipeline.refusal({ ...DESTINATION, SOURCE_URL: url });
    expect(message).toBe(
      `1 problem in the configuration of pipeline ${basename(pipeline.directory)} in ${pipeline.directory}:\n  - SOURCE_URL (the environment): ${join(pipeline.directory, 'no.pem')} does not exist`,
    );
  });

  test('with a certificate and no key, or a key and no certificate, is refused', async () => {
    await using pipeline = await pipelineDirectory({ cert: CERTIFICATE, key: KEY });
    for (const [name, file] of [
      ['SOURCE_SSLCERT', 'cert'],
      ['SOURCE_SSLKEY', 'key'],
    ] as const) {
      const { message } = await pipeline.refusal({ ...CONNECTIONS, [name]: file });
      expect(message).toMatch(/^1 problem /);
      expect(message).toContain(`${name} (the environment): a client certificate needs its key`);
    }
  });

  test.each([
    ['SSLROOTCERT', 'nothing', '', 'holds no certificate in PEM form'],
    ['SSLROOTCERT', 'a key', KEY, 'is a private key, not a certificate'],
    ['SSLROOTCERT', 'half a certificate', CERTIFICATE.slice(0, 300), 'holds no certificate in PEM form'],
    ['SSLKEY', 'a certificate', CERTIFICATE, 'holds no private key in PEM form'],
    [
      'SSLKEY',
      'a locked key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----',
      'is encrypted, and increp cannot ask',
    ],
    ['SSLKEY', 'an old locked key', '-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED', 'is encrypted'],
  ])('with a %s file that holds %s is refused, and not shown', async (field, _, text, fault) => {
    await using pipeline = await pipelineDirectory({ cert: CERTIFICATE, key: KEY, file: text });
    const pair = field === 'SSLKEY' ? { SOURCE_SSLCERT: 'cert' } : {};
    const { message } = await pipeline.refusal({ ...CONNECTIONS, ...pair, [`SOURCE_${field}`]: 'file' });
    expect(message).toMatch(/^1 problem /);
    expect(message).toContain(
      `SOURCE_${field} (the environment): ${join(pipeline.directory, 'file')} ${fault}`,
    );
    // The directory has a random name, and the pipeline has the name of the directory.
    expect(
      message.replaceAll(pipeline.directory, '').replaceAll(basename(pipeline.directory), ''),
    ).not.toContain('MI');
  });

  test.each([
    [0o640, false],
    [0o604, false],
    [0o400, true],
    [0o600, true],
  ])('with a key of mode %o: %s', async (mode, isTaken) => {
    await using pipeline = await pipelineDirectory({ cert: CERTIFICATE });
    const key = await pipeline.write('the key', KEY, mode);
    const environment = { ...CONNECTIONS, SOURCE_SSLCERT: 'cert', SOURCE_SSLKEY: 'the key' };
    // libpq lets the group read a key of root's.
    if (isTaken || (mode === 0o640 && process.getuid?.() === 0)) {
      expect((await pipeline.load(environment)).source.tls.key).toBe(key);
    } else {
      const { message } = await pipeline.refusal(environment);
      expect(message).toContain(
        `(mode 0${mode.toString(8)}), and pg_dump refuses such a key; run: chmod 600 '${key}'`,
      );
    }
  });

  test('with the authorities of the system is verified in full, and no weaker mode is accepted', async () => {
    await using pipeline = await pipelineDirectory();
    const { destination } = await pipeline.load({ ...CONNECTIONS, DEST_SSLROOTCERT: 'system' });
    expect(destination.tls).toMatchObject({
      mode: 'verify-full',
      rootCert: expect.stringMatching(/^\/.*\.(crt|pem)$/),
    });
    const weak = { ...CONNECTIONS, DEST_SSLROOTCERT: 'system', DEST_SSLMODE: 'require' };
    expect((await pipeline.refusal(weak)).message).toContain('"require" is too weak for sslrootcert=system');
  });

  test('may have several hosts, with one port for all or one for each, and a saved password for each', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': 'two:1:*:*:second\n*:*:*:*:any\n' });
    const { source } = await pipeline.load({ ...CONNECTIONS, SOURCE_HOST: 'one,two', SOURCE_PORT: '1' });
    expect(source).toMatchObject({
      host: 'one',
      port: 1,
      credential: { known: 'any' },
      otherServers: [{ host: 'two', port: 1, credential: { known: 'second' } }],
    });
    const url = await pipeline.load({ ...DESTINATION, SOURCE_URL: 'postgresql://a@one:1,[::1]/c' });
    expect(url.source).toMatchObject({ host: 'one', port: 1, otherServers: [{ host: '::1', port: 5432 }] });
    const wrong = { ...DESTINATION, SOURCE_URL: 'postgresql://a@one,two/c?hostaddr=192.0.2.1' };
    expect((await pipeline.refusal(wrong)).message).toContain('1 addresses (hostaddr) for 2 hosts');
  });

  test('with channel binding but without TLS is refused', async () => {
    await using pipeline = await pipelineDirectory();
    const bound = { ...CONNECTIONS, SOURCE_CHANNEL_BINDING: 'require' };
    expect((await pipeline.load(bound)).source.parameters.channelBinding).toBe('require');
    for (const change of [{ SOURCE_SSLMODE: 'disable' }, { SOURCE_HOST: '/run/postgresql' }])
      expect((await pipeline.refusal({ ...bound, ...change })).message).toMatch(
        /SOURCE_CHANNEL_BINDING \(the environment\): channel_binding=require needs TLS/,
      );
  });

  test('takes the parameters that people set by hand from variables, or from the URL, not from both', async () => {
    await using pipeline = await pipelineDirectory();
    const { source } = await pipeline.load({
      ...CONNECTIONS,
      SOURCE_CONNECT_TIMEOUT: '3',
      SOURCE_REQUIRE_AUTH: 'scram-sha-256',
      SOURCE_TARGET_SESSION_ATTRS: 'standby',
    });
    expect(source.parameters).toMatchObject({
      connectTimeoutSeconds: 3,
      requireAuth: ['scram-sha-256'],
      targetSession: 'standby',
    });
    const twice = { SOURCE_URL: 'postgresql://a@b/c?connect_timeout=3', SOURCE_CONNECT_TIMEOUT: '4' };
    expect((await pipeline.refusal({ ...DESTINATION, ...twice })).message).toContain(
      'SOURCE_CONNECT_TIMEOUT (the environment): set together with connect_timeout in SOURCE_URL',
    );
    const wrong = { ...CONNECTIONS, SOURCE_REQUIRE_AUTH: 'scram' };
    expect((await pipeline.refusal(wrong)).message).toContain(
      'SOURCE_REQUIRE_AUTH (the environment): "require_auth"',
    );
  });

  test('with a certificate that has expired is warned of', async () => {
    await using pipeline = await pipelineDirectory({ old: EXPIRED_CERTIFICATE });
    const { warnings } = await pipeline.load({ ...CONNECTIONS, SOURCE_SSLROOTCERT: 'old' });
    expect(warnings.join()).toMatch(/SOURCE_SSLROOTCERT: the certificate in .*old expired on 2026-/);
  });
});

describe('a secret', () => {
  const secret = 'h%75sh';

  test('is collected for redaction, as it was written and as it is used', async () => {
    await using pipeline = await pipelineDirectory();
    const url = `postgres://a:${secret}@b/c`;
    const webhook = { WEBHOOK_URL: 'https://hooks.example.com/key', WEBHOOK_SECRET: 'sign' };
    const { secrets } = await pipeline.load({
      ...DESTINATION,
      SOURCE_URL: url,
      DEST_PASSWORD: 'pass',
      ...webhook,
    });
    expect(new Set(secrets)).toEqual(
      new Set(['hush', secret, url, 'pass', 'https://hooks.example.com/key', 'sign']),
    );
  });

  test.each(['SOURCE_HOST', 'SOURCE_DB', 'SOURCE_URL', 'WEBHOOK_URL'])(
    'is not shown when it stands in %s by mistake',
    async (name) => {
      await using pipeline = await pipelineDirectory();
      const environment = name === 'SOURCE_URL' ? DESTINATION : CONNECTIONS;
      const error = await pipeline.refusal({ ...environment, [name]: `ftp://a:${secret}@b/c` });
      expect(error.message).toContain(name);
      expect(`${error.message} ${error.next}`).not.toContain(secret);
    },
  );
});
