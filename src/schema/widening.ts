/** Decides which changes of a type ALTER TABLE can do without changing any value. Pure. */

/** The parts of a built-in type as format_type() prints it. */
interface TypeParts {
  readonly name: string;
  readonly isArray: boolean;
  readonly modifiers: readonly number[];
}

const FORM =
  /^(?<head>[a-z ]+?)(?:\((?<modifiers>-?\d+(?:,-?\d+)?)\))?(?<zone> with(?:out)? time zone)?(?<array>\[\])?$/;

function partsOf(type: string): TypeParts | undefined {
  const { head, modifiers, zone = '', array } = FORM.exec(type)?.groups ?? {};
  if (head === undefined) return undefined;
  return {
    name: `${head}${zone}`,
    isArray: array !== undefined,
    modifiers: modifiers === undefined ? [] : modifiers.split(',').map(Number),
  };
}

/** The decimal digits of the largest value. */
const INTEGER_DIGITS = new Map([
  ['smallint', 5],
  ['integer', 10],
  ['bigint', 19],
]);

/** Types whose one modifier is a limit. Without a modifier there is no limit. */
const LIMITED = new Set([
  'character varying',
  'bit varying',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'time with time zone',
  'interval',
]);

/**
 * True if every value of `from` is also a value of `to`, so that a cast neither fails nor rounds. The source may still
 * have converted its rows by a USING expression, so the values have to be compared.
 */
export function isWidening(from: string, to: string): boolean {
  const [old, now] = [partsOf(from), partsOf(to)];
  if (!old || !now || old.isArray !== now.isArray) return false;
  return old.name === now.name ? isRoomier(old, now) : isWiderName(old, now);
}

function isRoomier({ name, modifiers: old }: TypeParts, { modifiers: now }: TypeParts): boolean {
  if (name === 'numeric') return fitsNumeric(old, now);
  if (!LIMITED.has(name)) return false;
  return now[0] === undefined || (old[0] !== undefined && now[0] >= old[0]);
}

function isWiderName(old: TypeParts, now: TypeParts): boolean {
  const digits = INTEGER_DIGITS.get(old.name);
  if (digits !== undefined) {
    const more = INTEGER_DIGITS.get(now.name);
    return more === undefined
      ? now.name === 'numeric' && fitsNumeric([digits, 0], now.modifiers)
      : more > digits;
  }
  if (old.name === 'real') return now.name === 'double precision';
  if (old.name === 'character varying') return now.name === 'text';
  if (old.name === 'text') return now.name === 'character varying' && now.modifiers.length === 0;
  return old.name === 'date' && now.name === 'timestamp without time zone';
}

/** Compares the digits before and after the decimal point. */
function fitsNumeric(old: readonly number[], now: readonly number[]): boolean {
  const [precision, scale = 0] = now;
  if (precision === undefined) return true;
  const [oldPrecision, oldScale = 0] = old;
  return oldPrecision !== undefined && scale >= oldScale && precision - scale >= oldPrecision - oldScale;
}
