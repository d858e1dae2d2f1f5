/** Which changes of a type ALTER TABLE can do without losing anything of a value: pure. */

/** A built-in type as format_type() prints it, taken apart. */
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

/** Decimal digits that hold any value. */
const INTEGER_DIGITS = new Map([
  ['smallint', 5],
  ['integer', 10],
  ['bigint', 19],
]);

/** By their one modifier, without which there is no limit. */
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
 * True where every value of `from` is one of `to`, so that a cast fails for none and rounds none. That the source has
 * converted its rows by that cast, and not by a USING of its own, is another matter: the values have to be compared.
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

/** Digits in front of the point and behind it. */
function fitsNumeric(old: readonly number[], now: readonly number[]): boolean {
  const [precision, scale = 0] = now;
  if (precision === undefined) return true;
  const [oldPrecision, oldScale = 0] = old;
  return oldPrecision !== undefined && scale >= oldScale && precision - scale >= oldPrecision - oldScale;
}
