/** Texts that are no connection string of libpq, but of another program: what to change in them. */

interface ForeignForm {
  readonly is: RegExp;
  /** A sentence. It must not repeat a piece of the text that could belong to a password. */
  readonly advice: string | ((match: RegExpExecArray) => string);
}

const FORMS: readonly ForeignForm[] = [
  { is: /^["'`]/, advice: 'begins with a quote; remove the quotes around the URL' },
  {
    is: /^(?:PG\w+=\S*\s+)*(?:psql|pg_dump|pg_restore|createdb)\s/i,
    advice: 'is a command line; use only the URL in it, without the program and the quotes',
  },
  {
    is: /^(?:export\s+)?[A-Za-z_]\w*\s*=\s*["'`]?postgres(?:ql)?(?:\+\w+)?:\/\//i,
    advice: 'begins with the name of a variable; use only the URL behind the "="',
  },
  {
    is: /^jdbc:/i,
    advice:
      'is a URL of JDBC; remove "jdbc:", and write the user and the password as postgresql://USER:PASSWORD@HOST:PORT/DATABASE',
  },
  {
    is: /^(postgres(?:ql)?)\+([a-z]\w{0,30}):\/\//i,
    advice: ([, scheme, driver]) =>
      `names the driver of SQLAlchemy in its scheme; remove "+${driver}", so that it begins with ${scheme}://`,
  },
  {
    is: /^prisma(?:\+postgres)?:\/\//i,
    advice: 'is a URL of Prisma Accelerate; use the URL of the database itself',
  },
  {
    is: /^(mysql2?|mariadb|mssql|sqlserver|mongodb(?:\+srv)?|redis|rediss|sqlite3?|oracle|clickhouse|snowflake|https?):\/\//i,
    advice: ([, scheme]) => `is a URL of another kind (${scheme}://); increp needs postgresql://`,
  },
  {
    is: /^(?:postgis|postgres-?js|psql|pg|pgsql|cockroachdb|redshift|timescale(?:db)?|ecto|asyncpg|postgressql|postgre|postgresq):\/\//i,
    advice: 'has another scheme; begin it with postgresql://',
  },
  {
    is: /^postgres(?:ql)?:(?!\/\/)/i,
    advice: 'has no "//" behind the scheme; begin it with postgresql://',
  },
  {
    is: /^\s*\w[\w ]*=[^;\s']*;\s*\w[\w ]*=/,
    advice:
      'is a connection string of .NET or ODBC; separate the parameters by white space instead of semicolons, with the names of libpq: host=HOST port=PORT dbname=DATABASE user=USER password=PASSWORD sslmode=require',
  },
  { is: /^\s*\{/, advice: 'is JSON; write its values as a URL' },
  { is: /^[^\s=/]+@[^\s/]+\/[^\s=]*(?:\?.*)?$/, advice: 'has no scheme; begin it with postgresql://' },
];

/** Undefined if the form is not known. */
export function adviceFor(text: string): string | undefined {
  const trimmed = text.trim();
  for (const { is, advice } of FORMS) {
    const match = is.exec(trimmed);
    if (match) return typeof advice === 'string' ? advice : advice(match);
  }
  return undefined;
}
