/** The corpus as tables, one a type: so each travels in the format that is chosen for it alone. */
import type { Pool } from 'pg';
import { BUILT_IN, EXTENSIONS, SETUP, USER_DEFINED, type CorpusLine } from './type-corpus.ts';

export interface CorpusTable {
  readonly name: string;
  readonly type: string;
  /** A type of the user or of an extension, that a table does not bring along. */
  readonly isOwn: boolean;
  /** Columns beside `id` and `changed`. */
  readonly columns: readonly string[];
  readonly sql: string;
}

export interface Corpus {
  readonly setup: string;
  readonly lines: readonly CorpusLine[];
  readonly tables: readonly CorpusTable[];
  /** Those of the corpus that the server offers. */
  readonly extensions: readonly string[];
}

export async function corpusFor(server: Pool): Promise<Corpus> {
  const { rows } = await server.query<{ name: string }>('SELECT name FROM pg_available_extensions');
  const offered = rows.map(({ name }) => name);
  const extensions = Object.keys(EXTENSIONS).filter((name) => offered.includes(name));
  const lines = [...BUILT_IN, ...USER_DEFINED, ...extensions.flatMap((name) => EXTENSIONS[name] ?? [])];
  return {
    setup: `${createExtensions(extensions)} ${SETUP}`,
    lines,
    tables: lines.map(([type, values], place) => tableOf(`t${place}`, type, values)),
    extensions,
  };
}

export const createExtensions = (names: readonly string[]): string =>
  names.map((name) => `CREATE EXTENSION IF NOT EXISTS "${name}" CASCADE;`).join(' ');

/** The catalogs' own types, of which there are no arrays. */
const hasArray = (type: string) => !/^pg_(node_tree|ndistinct|dependencies|mcv_list|brin_.*)$/.test(type);
/** Every value comes once more in a new row, one goes, and one takes the place of another. */
export const changesOf = ({ name, columns }: CorpusTable): string => `
  INSERT INTO ${name} SELECT id + 1000, now(), ${columns.join(', ')} FROM ${name};
  UPDATE ${name} SET v = NULL, changed = now() WHERE id = 1;
  UPDATE ${name} SET v = (SELECT v FROM ${name} WHERE id = 1001), changed = now() WHERE id = 2`;

function tableOf(name: string, type: string, values: readonly string[]): CorpusTable {
  const columns = hasArray(type) ? ['v', 'a'] : ['v'];
  const definitions = [`v ${type}`, ...(hasArray(type) ? [`a ${type}[]`] : [])].join(', ');
  const singles = [...values.map((value) => `(${value})::${type}`), `NULL::${type}`];
  const sql = [
    `CREATE TABLE ${name} (id serial PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), ${definitions})`,
    ...singles.map((value) => `INSERT INTO ${name} (v) VALUES (${value})`),
    ...(hasArray(type) ? arraysOf(type, singles) : []).map(
      (array) => `INSERT INTO ${name} (a) VALUES (${array})`,
    ),
  ];
  const isOwn = !BUILT_IN.some(([builtIn]) => builtIn === type) && type !== 'measured';
  return { name, type, isOwn, columns, sql: sql.join(';\n') };
}

/** Of values that are arrays themselves ARRAY[...] would make something else; their text does not. */
const isArray = (type: string) => ['positives', 'oidvector', 'int2vector'].includes(type);

/** Empty, of NULL, with all the values, two-dimensional, and with lower bounds other than 1. */
function arraysOf(type: string, singles: readonly string[]): string[] {
  const via = isArray(type) ? 'text' : type;
  const elements = singles.map((value) => (isArray(type) ? `${value}::text` : value));
  const flat = `ARRAY[${elements.join(', ')}]::${via}[]`;
  const arrays = [flat, `ARRAY[${flat}, ${flat}]`, `array_fill(${elements[0]}, ARRAY[2, 1], ARRAY[-3, 5])`];
  return [
    `'{}'`,
    `'{NULL}'`,
    ...arrays.map((array) => (isArray(type) ? `${array}::text::${type}[]` : array)),
  ];
}
