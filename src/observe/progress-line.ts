/** Builds the text of the live line: pure. A part that does not fit is left out, the least important part first. */
import type { Phase } from '../events.ts';
import { formatBytes, formatCount, formatRoughCount, formatSeconds, formatTimeLeft } from '../format.ts';
import type { Redact } from '../redact.ts';
import { PHASE_WORDS } from '../report/phase-words.ts';
import { glyphsOf, type Style } from '../report/style.ts';
import type { Copying, View } from './progress-view.ts';
import { displayWidth, printableLine, truncate } from '../report/text.ts';

const WORDS = {
  ...PHASE_WORDS,
  start: 'reading both databases',
  retry: 'waiting to retry',
  end: 'reporting the run',
} as const satisfies Record<Phase | 'start' | 'retry' | 'end', string>;

/** Over a shorter time, a rate is noise, and a number of seconds flickers. */
const WORTH_TELLING_MS = 1000;
const STALLED_AFTER_MS = 5000;
/** Cells that a table name always gets. A longer name is cut to make room for the other parts. */
const LONG_NAME = 24;
const SHORTEST_NAME = 8;
/** Cells for the description of a lock holder. */
const NARROWEST_REASON = 20;

/** The line is cut to the width of the terminal. */
export function progressLine(view: View, now: number, style: Style, redact: Redact): string {
  const { ellipsis } = glyphsOf(style);
  const place = placeOf(view);
  const said = fitting({ view, now, style, redact }, place.length);
  const shown = view.table === undefined ? '' : `${printableLine(redact(view.table))}: `;
  const room = Math.max(SHORTEST_NAME, style.width - place.length - displayWidth(said));
  const name =
    shown === '' || displayWidth(shown) <= room
      ? shown
      : `${truncate(shown.slice(0, -2), room - 2, ellipsis)}: `;
  return truncate(`${place}${name}${said}`, style.width, ellipsis);
}

function placeOf({ total, finished, table }: View): string {
  const current = Math.min(finished + (table === undefined ? 0 : 1), total);
  return total > 0 ? `[${formatCount(current)}/${formatCount(total)}] ` : '';
}

interface LinePart {
  readonly text: string;
  /** The part with the highest number is left out first. */
  readonly isLeftOut: number;
}

interface ProgressDrawing {
  readonly view: View;
  readonly now: number;
  readonly style: Style;
  readonly redact: Redact;
}

/** While parts are chosen, only the beginning of a long name counts. */
function fitting(drawing: ProgressDrawing, taken: number): string {
  const { view, now, style } = drawing;
  const name =
    view.table === undefined ? 0 : Math.min(displayWidth(printableLine(view.table)), LONG_NAME) + 2;
  const room = style.width - taken - name;
  if (view.waitsFor !== undefined) return waitingText(drawing, Math.max(NARROWEST_REASON, room));
  let parts = partsOf(view, now);
  const text = () => parts.map((part) => part.text).join(', ');
  while (parts.length > 1 && text().length > room) {
    const last = Math.max(...parts.map(({ isLeftOut }) => isLeftOut));
    parts = parts.filter(({ isLeftOut }) => isLeftOut !== last);
  }
  return text();
}

const elapsed = ({ since }: View, now: number): string | undefined =>
  now - since < WORTH_TELLING_MS ? undefined : formatElapsed((now - since) / 1000);

/** Whole seconds, because the line is not drawn more often. */
const formatElapsed = (seconds: number): string =>
  seconds < 60 ? `${Math.floor(seconds)} s` : formatSeconds(Math.floor(seconds));

function waitingText({ view, now, style, redact }: ProgressDrawing, room: number): string {
  const seconds = elapsed(view, now);
  const text = `waiting ${seconds === undefined ? '' : `${seconds} `}for ${printableLine(redact(view.waitsFor ?? ''))}`;
  return truncate(text, room, glyphsOf(style).ellipsis);
}

function partsOf(view: View, now: number): LinePart[] {
  const { phase, copying } = view;
  if (phase === 'copy') return copyingParts(view, copying, now);
  const seconds = elapsed(view, now);
  return [
    { text: WORDS[phase], isLeftOut: 0 },
    ...(seconds === undefined ? [] : [{ text: seconds, isLeftOut: 1 }]),
    ...(copying ? amountParts(copying) : []),
  ];
}

function copyingParts(view: View, copying: Copying | undefined, now: number): LinePart[] {
  if (!copying) return [{ text: PHASE_WORDS.copy, isLeftOut: 0 }];
  const share = shareText(view, copying);
  return [
    { text: `${PHASE_WORDS.copy}${share}`, isLeftOut: 0 },
    ...amountParts(copying),
    ...speedParts(view, copying, now),
  ];
}

/** With chunks, the number is exact. Otherwise it is an estimate, and it is shown only while it is plausible. */
function shareText(view: View, { chunks, rows }: Copying): string {
  if (chunks) return ` (${formatCount(chunks.done)} of ${formatCount(chunks.of)} chunks done)`;
  const share = shareOf(view, rows);
  return share === undefined ? '' : ` about ${Math.min(99, Math.floor(share * 100))}%`;
}

function shareOf({ estimatedRows }: View, rows: number | undefined): number | undefined {
  if (rows === undefined || !estimatedRows || rows > estimatedRows) return undefined;
  return rows / estimatedRows;
}

const amountParts = ({ rows, bytes }: Copying): LinePart[] => [
  ...(rows === undefined
    ? []
    : [{ text: `${formatRoughCount(rows)} ${rows === 1 ? 'row' : 'rows'}`, isLeftOut: 3 }]),
  ...(bytes === 0 ? [] : [{ text: formatBytes(bytes), isLeftOut: 4 }]),
];

function speedParts(view: View, copying: Copying, now: number): LinePart[] {
  const last = copying.marks.at(-1);
  const silence = now - (last?.at ?? now);
  if (silence >= STALLED_AFTER_MS)
    return [{ text: `no data for ${formatElapsed(silence / 1000)}`, isLeftOut: 1 }];
  const [first] = copying.marks;
  if (copying.bytes === 0 || !first || now - first.at < WORTH_TELLING_MS) return [];
  const rate = ((copying.bytes - first.bytes) / (now - first.at)) * 1000;
  const left = secondsLeft(view, copying, now);
  return [
    { text: `${formatBytes(rate)}/s`, isLeftOut: 5 },
    ...(left === undefined ? [] : [{ text: `${formatTimeLeft(left)} left`, isLeftOut: 2 }]),
  ];
}

/** The time that is left, from the average rate of this copy. */
function secondsLeft(view: View, { chunks, rows, earlier, since }: Copying, now: number): number | undefined {
  const share = chunks ? chunks.done / chunks.of : shareOf(view, rows);
  if (share === undefined || share >= 1) return undefined;
  const done = chunks ? share - earlier.chunks / chunks.of : share;
  const seconds = (now - since) / 1000;
  // An estimate from the first few bytes would be wrong.
  return seconds < 2 || done < 0.01 ? undefined : (seconds / done) * (1 - share);
}
