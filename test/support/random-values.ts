/** Random values of every type, as SQL expressions. */
import fc from 'fast-check';
import { escapeLiteral } from 'pg';

type Value = fc.Arbitrary<string>;

const quoted = (text: string) => escapeLiteral(text);
const literals = (texts: fc.Arbitrary<unknown>): Value => texts.map((value) => quoted(String(value)));

/** Any characters, and often those that formats are made of. Postgres has no character 0. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom(...Array.from('\\"\'`,;:{}()[]<>= \t\r\n\u0001.NnUuLl%$äé😀\u2028')),
      maxLength: 20,
    }),
  )
  .map((value) => value.replaceAll('\0', ''));

const integer = (bits: number) => fc.bigInt(-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n);
const int4 = literals(fc.oneof(fc.integer(), fc.integer({ min: -9, max: 9 })));

const digits = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789')), minLength: 1, maxLength });
const numeric = literals(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.constantFrom('', '-'), digits(60), digits(60))
        .map(([sign, whole, rest]) => `${sign}${whole}.${rest}`),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(digits(5), fc.integer({ min: -80, max: 80 }))
        .map(([whole, power]) => `${whole}e${power}`),
    },
    fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '0.00'),
  ),
);

/** Every pattern of bits, so that most are far from anything that a person would write. */
const floatBits = (bytes: 4 | 8) =>
  literals(
    fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((bits) => {
      const view = new DataView(bits.buffer, bits.byteOffset);
      const value = bytes === 4 ? view.getFloat32(0) : view.getFloat64(0);
      return Object.is(value, -0) ? '-0' : value;
    }),
  );

const hex = (lengths: fc.IntArrayConstraints) =>
  fc.uint8Array(lengths).map((bytes) => Buffer.from(bytes).toString('hex'));

/** All that fits, in microseconds or days around 2000. */
const moment = (type: string, low: bigint, high: bigint, unit: string): Value =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .bigInt(low, high)
        .map((count) => `(${type} '2000-01-01' + interval '${count} ${unit}')::${type}`),
    },
    {
      weight: 4,
      arbitrary: fc
        .bigInt(-(2n ** 50n), 2n ** 50n)
        .map(
          (count) =>
            `(${type} '2000-01-01' + interval '${unit === 'days' ? count % 100_000n : count} ${unit}')::${type}`,
        ),
    },
    fc.constantFrom(`'infinity'::${type}`, `'-infinity'::${type}`),
  );
const timestamptz = moment(
  'timestamptz',
  -210_000_000_000_000_000n,
  9_000_000_000_000_000_000n,
  'microseconds',
);
const date = moment('date', -2_400_000n, 100_000_000n, 'days');
const microsecond = fc.integer({ min: 0, max: 86_400_000_000 });
const clock = microsecond.map((count) => `(time '00:00' + interval '${count} microseconds')::time`);

const interval = literals(
  fc
    .tuple(fc.integer(), fc.integer(), fc.bigInt(-(2n ** 52n), 2n ** 52n))
    .map(([months, days, microseconds]) => `${months} mons ${days} days ${microseconds} microseconds`),
);

const json = (isBinary: boolean) =>
  literals(
    fc.json({ maxDepth: 3 }).map((document) => {
      const spaced = document.replaceAll(/[,:]/g, (sign) => (document.includes('"') ? sign : ` ${sign}\n `));
      return isBinary ? document.replaceAll('\\u0000', '') : spaced;
    }),
  );

const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, bits]) => `${ip}/${bits}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([ip, bits]) => `${ip}/${bits}`),
);
const finite = fc
  .double({ noNaN: true, noDefaultInfinity: true, min: -1e100, max: 1e100 })
  .map((value) => (Object.is(value, -0) ? '-0' : `${value}`));
const point = fc.tuple(finite, finite).map(([x, y]) => `(${x},${y})`);

const range = (type: string, bound: Value): Value =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(bound, bound, fc.constantFrom('[)', '[]', '(]', '()'))
        .map(([a, b, bounds]) => `${type}(least(${a}, ${b}), greatest(${a}, ${b}), '${bounds}')`),
    },
    bound.map((low) => `${type}(${low}, NULL)`),
    fc.constantFrom(`'empty'::${type}`, `${type}(NULL, NULL)`),
  );
const int4range = range(
  'int4range',
  fc.integer({ min: -99_999, max: 99_999 }).map((bound) => `(${bound})`),
);
const numrange = range(
  'numrange',
  fc.integer().map((bound) => `(${bound} / 1000.0)`),
);

const orNull = (value: Value): Value => fc.oneof({ weight: 6, arbitrary: value }, fc.constant('NULL'));

/** Of one or two dimensions, with NULLs, with lower bounds of their own, or empty. */
const arrayOf = (type: string, value: Value): Value => {
  const element = orNull(value).map((one) => `(${one})::${type}`);
  const list = fc
    .array(element, { minLength: 1, maxLength: 4 })
    .map((values) => `ARRAY[${values.join(', ')}]::${type}[]`);
  const grid = fc
    .array(fc.tuple(element, element, element), { minLength: 1, maxLength: 3 })
    .map((rows) => `ARRAY[${rows.map((row) => `[${row.join(', ')}]`).join(', ')}]::${type}[]`);
  const shifted = fc
    .tuple(element, fc.integer({ min: -9, max: 9 }))
    .map(([one, low]) => `array_fill(${one}, ARRAY[2, 2], ARRAY[${low}, 1])`);
  return fc.oneof(list, grid, shifted, fc.constant(`'{}'::${type}[]`));
};

/** Types of Postgres that travel in binary where nothing else is in the table, and then those that never do. */
export const PLAIN: Readonly<Record<string, Value>> = {
  boolean: fc.constantFrom('true', 'false'),
  smallint: literals(integer(16)),
  integer: int4,
  bigint: literals(integer(64)),
  numeric,
  'numeric(30,10)': fc
    .tuple(fc.constantFrom('', '-'), digits(20), digits(20))
    .map(([sign, whole, rest]) => `(${sign}${whole}.${rest})`),
  real: floatBits(4),
  'double precision': floatBits(8),
  text: literals(text),
  'varchar(8)': literals(text.map((value) => Array.from(value).slice(0, 8).join(''))),
  'char(8)': literals(text.map((value) => Array.from(value).slice(0, 8).join(''))),
  bytea: hex({ maxLength: 80 }).map((bytes) => `'\\x${bytes}'::bytea`),
  uuid: literals(fc.uuid()),
  date,
  timestamptz,
  timestamp: timestamptz.map((value) => `(${value} AT TIME ZONE 'UTC')`),
  time: clock,
  timetz: fc
    .tuple(microsecond, fc.integer({ min: -57_599, max: 57_599 }))
    .map(
      ([count, zone]) =>
        `(time '00:00' + interval '${count} microseconds')::text::timetz AT TIME ZONE interval '${zone} seconds'`,
    ),
  interval,
  json: json(false),
  jsonb: json(true),
  bit: fc.constantFrom(`B'0'`, `B'1'`),
  'bit varying': fc.string({ unit: fc.constantFrom('0', '1'), maxLength: 70 }).map((bits) => `B'${bits}'`),
  inet: literals(address),
  cidr: address.map((value) => `network('${value}'::inet)`),
  macaddr8: hex({ minLength: 8, maxLength: 8 }).map(quoted),
  point: literals(point),
  polygon: literals(fc.array(point, { minLength: 1, maxLength: 5 }).map((points) => `(${points.join(',')})`)),
  tsvector: fc.array(text, { maxLength: 5 }).map(
    (words) =>
      `array_to_tsvector(ARRAY[${words
        .filter((word) => word !== '')
        .map(quoted)
        .join(', ')}]::text[])`,
  ),
  int4range,
  numrange,
  tstzrange: range('tstzrange', timestamptz),
  int4multirange: fc.tuple(int4range, int4range).map(([a, b]) => `int4multirange(${a}, ${b})`),
};

/** Without types of the user: those need to be made first. */
export const TEXT_ONLY: Readonly<Record<string, Value>> = {
  money: integer(64).map(
    (cents) =>
      `'${cents / 100n}.${String(cents < 0n ? -cents % 100n : cents % 100n).padStart(2, '0')}'::money`,
  ),
  xml: literals(text.map((value) => value.replaceAll(/[^\t\n\x20-\u{ffff}]|[<&\ufffe\uffff]/gu, ''))),
  xid8: literals(fc.bigInt(0n, 2n ** 64n - 1n)),
  tsquery: text
    .filter((word) => word.trim() !== '')
    .map((word) => `plainto_tsquery('simple', ${quoted(word)})`),
};

/** Types of the user as random as their values. */
export interface OwnTypes {
  readonly sql: string;
  readonly values: Readonly<Record<string, Value>>;
}

export const ownTypes: fc.Arbitrary<OwnTypes> = fc
  .uniqueArray(
    text.map((label) => cutToBytes(label, 63)),
    { minLength: 1, maxLength: 8 },
  )
  .map((labels) => {
    const feeling = literals(fc.constantFrom(...labels)).map((label) => `${label}::feeling`);
    const parcel = fc
      .tuple(
        orNull(int4),
        orNull(literals(text)),
        orNull(arrayOf('numeric', numeric)),
        orNull(feeling),
        orNull(timestamptz),
      )
      .map((fields) => `ROW(${fields.join(', ')})::parcel`);
    return {
      sql: `CREATE TYPE feeling AS ENUM (${labels.map(quoted).join(', ')});
        CREATE DOMAIN amount AS numeric; CREATE DOMAIN words AS text[];
        CREATE TYPE parcel AS (n int, word text, amounts numeric[], "how it feels" feeling, "at" timestamptz);
        CREATE TYPE crate AS (inside parcel, more parcel[]);
        CREATE TYPE span AS RANGE (subtype = float8);`,
      values: {
        feeling,
        amount: numeric,
        words: arrayOf('text', literals(text)),
        parcel,
        crate: fc
          .tuple(orNull(parcel), orNull(arrayOf('parcel', parcel)))
          .map((parts) => `ROW(${parts.join(', ')})::crate`),
        span: range(
          'span',
          fc.integer().map((bound) => `(${bound} / 7.0::float8)`),
        ),
      },
    };
  });

function cutToBytes(label: string, bytes: number): string {
  let cut = '';
  for (const character of label) {
    if (Buffer.byteLength(cut + character) > bytes) break;
    cut += character;
  }
  return cut;
}

/** Every column may be NULL, and every type comes as an array too. */
export const columnsOf = (
  values: Readonly<Record<string, Value>>,
): readonly (readonly [type: string, value: Value])[] =>
  Object.entries(values).flatMap(([type, value]) => [
    [type, orNull(value)] as const,
    [`${type}[]`, orNull(arrayOf(type, value))] as const,
  ]);
