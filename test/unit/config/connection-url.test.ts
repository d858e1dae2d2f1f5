import { describe, expect, test } from 'vitest';
import {
  connectionUrl,
  parseConnectionUrl,
  withPart,
} from '../../../src/config/connection/connection-url.ts';
import { NO_PARAMETERS, sessionParameters } from '../../../src/config/connection/url-parameters.ts';

test('a full URL is taken apart', () => {
  const url = 'postgres://reader:pass@db.example.com:5433/shop?sslmode=verify-full&sslrootcert=ca.pem';
  expect(parseConnectionUrl(url)).toEqual({
    host: 'db.example.com',
    hostAddress: '',
    port: '5433',
    user: 'reader',
    password: 'pass',
    database: 'shop',
    tls: { SSLMODE: 'verify-full', SSLROOTCERT: 'ca.pem' },
    session: new Map([
      ['sslmode', 'verify-full'],
      ['sslrootcert', 'ca.pem'],
    ]),
    repeated: [],
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

test.each(['p#w', 'p?w=1', 'a:b', "it's", 'p+w', 'p&w', '%20', '[x]', '"', '\\\\', '~!$^*()_|<>{};,.'])(
  'the password %s is read as psql reads it',
  (password) => {
    const written = password.replaceAll('%20', '%2520');
    expect(parseConnectionUrl(`postgresql://reader:${written}@db/shop`)).toMatchObject({
      host: 'db',
      password,
    });
  },
);

test('every printable character of a password survives the URL that increp writes, and the keyword form', () => {
  const password = Array.from({ length: 95 }, (_, index) => String.fromCodePoint(32 + index)).join('');
  const written = connectionUrl({ host: 'db', port: '', user: 'a', password, database: 'shop' });
  expect(parseConnectionUrl(written)).toMatchObject({ password });
  const quoted = password.replaceAll(/[\\']/g, String.raw`\$&`);
  expect(parseConnectionUrl(`host=db user=a dbname=shop password='${quoted}'`)).toMatchObject({ password });
});

test.each([
  'host=db port=5433 dbname=shop user=reader password=pass sslmode=require',
  "  host = db port=5433\n dbname='shop' user='reader' password='pass' sslmode=require ",
  'postgresql://db:5433/shop?user=reader&password=pass&ssl=true',
  'postgresql:///?host=db&port=5433&dbname=shop&user=reader&password=pass&sslmode=require',
  'postgres://x:y@elsewhere:1/z?host=db&port=5433&dbname=shop&user=reader&password=pass&sslmode=require',
])('%j names the same connection', (text) => {
  expect(parseConnectionUrl(text)).toMatchObject({
    host: 'db',
    port: '5433',
    database: 'shop',
    user: 'reader',
    password: 'pass',
    tls: { SSLMODE: 'require' },
  });
});

test('of a parameter with two values, the last one counts, and it is named', () => {
  expect(parseConnectionUrl('postgresql://a@db/shop?sslmode=allow&sslmode=require')).toMatchObject({
    tls: { SSLMODE: 'require' },
    repeated: ['sslmode'],
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
  ['postgresql://reader@one:1,[::1],three:3/shop', 'one,::1,three'],
  ['postgresql://reader@/shop?host=one%2Ctwo', 'one,two'],
  ['postgresql://reader@/shop?hostaddr=192.0.2.1', '192.0.2.1'],
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
  [
    'keepalives_interval=10&tcp_user_timeout=9000',
    {
      onlyForDump: [
        ['keepalives_interval', '10'],
        ['tcp_user_timeout', '9000'],
      ],
    },
  ],
  ['gssencmode=disable', {}],
  ['connect_timeout=-1', { connectTimeoutSeconds: 0 }],
  ['require_auth=scram-sha-256', { requireAuth: ['scram-sha-256'] }],
  ['require_auth=!password,!md5', { requireAuth: ['scram-sha-256', 'none'] }],
  ['ssl_min_protocol_version=TLSv1.3', { minTls: 'TLSv1.3' }],
  ['sslsni=0', { isHostSent: false }],
  ['options=-c%20geqo%3Doff', { options: '-c geqo=off' }],
  ['options=--app.tenant%3D5%20-csearch_path%3Dx', { options: '--app.tenant=5 -csearch_path=x' }],
  ['passfile=/etc/pass', { passfile: '/etc/pass' }],
  ['fallback_application_name=etl', { applicationName: 'etl' }],
  ['client_encoding=auto', { ignored: ['client_encoding'] }],
  ['pgbouncer=true&connection_limit=1', { ignored: ['pgbouncer', 'connection_limit'] }],
  ['schema=public&pool_timeout=0', { ignored: ['schema', 'pool_timeout'] }],
  ['supa=base-pooler.x', { ignored: ['supa'] }],
  ['options=endpoint%3Dep-cool-name', { ignored: ['options'] }],
])('%s is understood as psql does', (parameters, expected) => {
  const parsed = parseConnectionUrl(`postgresql://a@db/shop?${parameters}`);
  expect('faults' in parsed ? parsed : sessionParameters(parsed.session)).toEqual({
    ...NO_PARAMETERS,
    ...expected,
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
    ['of another kind', 'mysql://reader@db/shop', 'is a URL of another kind (mysql://)'],
    [
      'with an option that increp sets itself',
      'postgresql://a@db/shop?options=-c%20TimeZone%3DUTC',
      '"options" sets timezone, which increp sets itself',
    ],
    ['with GSSAPI', 'postgresql://a@db/shop?gssencmode=require', 'cannot encrypt with GSSAPI'],
    [
      'with a word that is none',
      'postgresql://a@db/shop?channel_binding=on',
      'one of disable, prefer, require',
    ],
    ['with a time that is none', 'postgresql://a@db/shop?connect_timeout=10s', 'whole number of seconds'],
    ['with options of another form', 'postgresql://a@db/shop?options=geqo', '-c NAME=VALUE'],
    ['with methods that are none', 'postgresql://a@db/shop?require_auth=scram', 'such as scram-sha-256'],
    ['with methods of GSSAPI only', 'postgresql://a@db/shop?require_auth=gss', 'such as scram-sha-256'],
    ['with the peer of a socket', 'postgresql://a@db/shop?requirepeer=x', 'cannot be checked'],
    ['by a service', 'service=shop', 'write the settings of that service'],
    ['by a service, as a URL', 'postgresql:///?service=shop', 'write the settings of that service'],
    ['for replication', 'postgresql://a@db/shop?replication=true', 'starts a replication connection'],
    ['with ssl=false', 'postgresql://a@db/shop?ssl=false', 'sslmode=require'],
    ['with an encryption of Prisma', 'postgresql://a@db/shop?sslaccept=strict', 'sslmode=verify-full'],
    [
      'with a broken percent-encoding',
      'postgresql://reader:100%@db/shop',
      'write it as %25, or set the individual variables',
    ],
    ['with a broken percent-encoding in a name', 'postgresql://reader@db/100%', 'write % as %25'],
    [
      'with an @, a slash and a % in the password',
      'postgresql://reader:p@ss:w/rd#1 %x@db/shop?sslmode=require',
      'contains "@", "/" and "%"; write them as %40, %2F and %25',
    ],
    [
      'with an @ and a question mark in the password',
      'postgresql://reader:a@b?c@db/shop',
      'contains "@" and "?"; write them as %40 and %3F',
    ],
    ['with an @ in the name of the database', 'postgresql://reader@db/a@b', 'if it belongs to a name'],
    ['with a slash in the password', 'postgresql://reader:a/b@db/shop', 'write it as %2F'],
    ['with an @ in the password', 'postgresql://reader:a@b@db/shop', 'write it as %40'],
    ['with @ and / in the password', 'postgresql://reader:a@b/c@db/shop', 'write them as %40 and %2F'],
    ['with an IPv6 address without brackets', 'postgresql://reader@2001:db8::1/shop', 'in square brackets'],
    ['in quotes', `'postgresql://reader@db/shop'`, 'remove the quotes'],
    ['as a command', `psql 'postgresql://reader@db/shop'`, 'is a command line'],
    ['with its variable', 'DATABASE_URL=postgresql://reader@db/shop', 'name of a variable'],
    ['of SQLAlchemy', 'postgresql+psycopg2://reader@db/shop', 'remove "+psycopg2"'],
    ['of JDBC', 'jdbc:postgresql://db/shop?user=reader', 'remove "jdbc:"'],
    ['of .NET', 'Server=db;Database=shop;User Id=reader;Password=hush;', '.NET or ODBC'],
    ['without a scheme', 'reader:hush@db:5432/shop', 'begin it with postgresql://'],
    ['with one slash', 'postgres:reader@db/shop', 'has no "//"'],
    ['as keywords without a user', 'host=db dbname=shop', 'no user name in the text'],
    ['as broken keywords', "host=db user=a dbname=shop password='x", 'expected KEYWORD=VALUE'],
    [
      'as keywords with white space in the password',
      'host=db user=a dbname=shop password=x y=z',
      `password='PASSWORD'`,
    ],
    ['with an unknown parameter', 'postgresql://a@db/shop?conect_timeout=3', '"conect_timeout" is unknown'],
  ])('%s', (_, url, fault) => {
    const parsed = parseConnectionUrl(url);
    expect('faults' in parsed && parsed.faults.join()).toContain(fault);
  });

  test.each(['hush/hush', '1/hush', '1/?hush', '1@x?hush', '1?hush@', 'hush%hush', 'hush@hush', '1@/x?hush'])(
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
