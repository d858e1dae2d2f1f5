import { describe, expect, test } from 'vitest';
import { parseConnectionUrl, withPart } from '../../../src/config/connection/connection-url.ts';
import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';

test('a full URL is taken apart', () => {
  const url = 'postgres://reader:pass@db.example.com:5433/shop?sslmode=verify-full&sslrootcert=ca.pem';
  expect(parseConnectionUrl(url)).toEqual({
    host: 'db.example.com',
    port: '5433',
    user: 'reader',
    password: 'pass',
    database: 'shop',
    tls: { SSLMODE: 'verify-full', SSLROOTCERT: 'ca.pem' },
    parameters: NO_PARAMETERS,
  });
});

test('what may be left out is left out', () => {
  expect(parseConnectionUrl('postgresql://reader@db/shop')).toMatchObject({
    port: '',
    password: undefined,
    tls: {},
  });
});

test('every part is percent-decoded', () => {
  expect(parseConnectionUrl('postgresql://re%40der:p%23s%2Fs%3A%25@db/sh%20op')).toMatchObject({
    user: 're@der',
    password: 'p#s/s:%',
    database: 'sh op',
  });
});

test('a comma in the password is no second host', () => {
  expect(parseConnectionUrl('postgresql://reader:one,two@db/shop')).toMatchObject({
    host: 'db',
    password: 'one,two',
  });
});

test.each([
  ['postgresql://reader@%2Frun%2Fpostgresql/shop', '/run/postgresql'],
  ['postgresql://reader@/shop?host=/run/postgresql', '/run/postgresql'],
  ['postgresql://reader@[2001:db8::1]:5433/shop', '2001:db8::1'],
  ['postgresql://reader@192.0.2.7/shop', '192.0.2.7'],
])('%s is on the host %s', (url, host) => {
  expect(parseConnectionUrl(url)).toMatchObject({ host });
});

test.each([
  ['connect_timeout=10', { connectTimeoutSeconds: 10 }],
  ['application_name=etl', { applicationName: 'etl' }],
  ['channel_binding=require', { channelBinding: 'require' }],
  ['sslnegotiation=direct', { sslNegotiation: 'direct' }],
  ['target_session_attrs=read-write', { targetSession: 'read-write' }],
  ['keepalives=0', { keepAliveIdleSeconds: 0 }],
  ['keepalives=1&keepalives_idle=30', { keepAliveIdleSeconds: 30 }],
  ['gssencmode=disable', {}],
  ['pgbouncer=true&connection_limit=1', { ignored: ['pgbouncer', 'connection_limit'] }],
  ['options=endpoint%3Dep-cool-name', { ignored: ['options'] }],
])('%s is understood as psql does', (parameters, expected) => {
  expect(parseConnectionUrl(`postgresql://a@db/shop?${parameters}`)).toMatchObject({
    parameters: { ...NO_PARAMETERS, ...expected },
  });
});

test('ssl=true is sslmode=require, and the port may be a parameter', () => {
  expect(parseConnectionUrl('postgresql://a@db/shop?ssl=true&port=5433')).toMatchObject({
    port: '5433',
    tls: { SSLMODE: 'require' },
  });
});

describe('a URL is refused', () => {
  test.each([
    ['without a user', 'postgresql://db/shop', 'no user name'],
    ['without a host', 'postgresql://reader@/shop', 'no host'],
    ['without a database', 'postgresql://reader@db/', 'no database'],
    ['of another kind', 'mysql://reader@db/shop', 'not a connection URL'],
    ['with several hosts', 'postgresql://reader@one:5432,two:5432/shop', 'several hosts'],
    ['with several hosts and no ports', 'postgresql://reader@one,two/shop', 'several hosts'],
    ['with several hosts as a parameter', 'postgresql://reader@/shop?host=one%2Ctwo', 'several hosts'],
    [
      'with options for the server',
      'postgresql://a@db/shop?options=-c%20geqo%3Doff',
      '"options" supports only',
    ],
    ['with GSSAPI', 'postgresql://a@db/shop?gssencmode=require', 'cannot encrypt with GSSAPI'],
    [
      'with a word that is none',
      'postgresql://a@db/shop?channel_binding=on',
      'one of disable, prefer, require',
    ],
    ['with a time that is none', 'postgresql://a@db/shop?connect_timeout=10s', 'whole number of seconds'],
    ['with ssl=false', 'postgresql://a@db/shop?ssl=false', 'sslmode=require'],
    ['with two ports', 'postgresql://a@db:5432/shop?port=5433', 'has two ports'],
    ['with an address beside the host', 'postgresql://a@db/shop?hostaddr=192.0.2.1', '"hostaddr" is unknown'],
    ['with a broken percent-encoding', 'postgresql://reader:100%@db/shop', 'not a connection URL'],
    ['with an unknown parameter', 'postgresql://a@db/shop?conect_timeout=3', '"conect_timeout" is unknown'],
    ['with a parameter twice', 'postgresql://a@db/shop?sslmode=allow&sslmode=require', '"sslmode" twice'],
    ['with a schema', 'postgresql://a@db/shop?schema=x', 'no parameter "schema"'],
  ])('%s', (_, url, fault) => {
    const parsed = parseConnectionUrl(url);
    expect('faults' in parsed && parsed.faults.join()).toContain(fault);
  });

  test.each(['hush#hush', 'hush/hush', '1/hush', 'hush?hush', '1?hush=1', '1?hush@', 'hush%hush', '1#hush'])(
    'without repeating any of the password %s',
    (password) => {
      const parsed = parseConnectionUrl(`postgresql://reader:${password}@db/shop`);
      expect(JSON.stringify('faults' in parsed && parsed.faults)).toMatch(/form .*postgresql:/);
      expect(JSON.stringify(parsed)).not.toContain('hush');
    },
  );
});

test.each([
  ['PASSWORD', "p@s's", 'postgresql://a:p%40s%27s@db:5433/shop?sslmode=require&application_name=etl'],
  ['PASSWORD', '', 'postgresql://a:@db:5433/shop?sslmode=require&application_name=etl'],
  ['HOST', '/run/pg', 'postgresql://a:b@:5433/shop?sslmode=require&application_name=etl&host=%2Frun%2Fpg'],
  ['HOST', '::1', 'postgresql://a:b@[::1]:5433/shop?sslmode=require&application_name=etl'],
  ['PORT', '1', 'postgresql://a:b@db:1/shop?sslmode=require&application_name=etl'],
  ['SSLMODE', 'disable', 'postgresql://a:b@db:5433/shop?sslmode=disable&application_name=etl'],
  ['SSLROOTCERT', '', 'postgresql://a:b@db:5433/shop?sslmode=require&application_name=etl'],
] as const)('%s %j replaces a part of a URL, and the rest stays', (field, value, expected) => {
  const url = 'postgres://a:b@db:5433/shop?sslmode=require&application_name=etl';
  expect(withPart(url, field, value)).toBe(expected);
  expect(parseConnectionUrl(expected)).not.toHaveProperty('faults');
});
