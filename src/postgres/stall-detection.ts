/**
 * A statement can run for hours without sending a byte. A dead connection can look the same: TCP notices after
 * fifteen minutes, or never if a device in between still answers. So if a server is silent during a statement, increp
 * asks about its backend over another connection.
 */
import { IncrepError } from '../errors.ts';

/** A session as its server shows it. */
export interface Backend {
  readonly waitsForClient: boolean;
  /** When its state last changed. */
  readonly changedAt: string | null;
}

interface Watched {
  readonly seconds: number;
  /** Changes whenever data is sent or received. */
  readonly moved: () => number;
  readonly isServersTurn: () => boolean;
  /** Undefined if the server has no such session. */
  readonly lookAt: () => Promise<Backend | undefined>;
  /** Called once, with the finding. */
  readonly giveUp: (found: string) => void;
}

/** Checks twice per period. It gives up after the same finding twice in a row without data in between. */
export function watchForStall(watched: Watched): Disposable {
  let moved = watched.moved();
  let suspicion: string | undefined;
  let isBusy = false;
  let hasEnded = false;
  const check = async () => {
    const now = watched.moved();
    const isQuiet = watched.isServersTurn() && now === moved;
    moved = now;
    const found = isQuiet ? await suspicionOf(watched) : undefined;
    if (hasEnded) return;
    const isConfirmed = found !== undefined && found === suspicion && watched.moved() === moved;
    suspicion = found;
    if (isConfirmed) watched.giveUp(found.slice(0, found.indexOf(MOMENT)));
  };
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void check().finally(() => (isBusy = false));
  }, watched.seconds * 500);
  const end = () => {
    hasEnded = true;
    clearInterval(timer);
  };
  return { [Symbol.dispose]: end };
}

/** Separates the text from the time that makes two findings equal. */
const MOMENT = '\n';

/** Undefined if the backend is working, or if the server answers but does not show it. */
async function suspicionOf({ lookAt }: Watched): Promise<string | undefined> {
  try {
    const backend = await lookAt();
    if (!backend) return `the server no longer has this session${MOMENT}`;
    if (!backend.waitsForClient) return undefined;
    return `the server waits for increp while increp waits for it${MOMENT}${backend.changedAt}`;
  } catch (error) {
    const isAnswer =
      error instanceof IncrepError && error.sqlstate !== undefined && error.code !== 'CONNECTION_LOST';
    return isAnswer ? undefined : `a new connection gets no answer${MOMENT}`;
  }
}
