/**
 * A statement may work for hours without a byte, and a connection may be dead for a quarter of an hour before TCP
 * says so, or for ever where something in between still answers for the other end. So a server that is silent when
 * it is its turn is asked over another connection what its backend does.
 */
import { IncrepError } from '../errors.ts';

/** A session, as its server sees it. */
export interface Backend {
  readonly waitsForClient: boolean;
  /** When it last began or ended something. */
  readonly changedAt: string | null;
}

interface Watched {
  readonly seconds: number;
  /** Changes whenever something moves in either direction. */
  readonly moved: () => number;
  readonly isServersTurn: () => boolean;
  /** Undefined when the server has no such session. */
  readonly lookAt: () => Promise<Backend | undefined>;
  /** Called once, with what was found. */
  readonly giveUp: (found: string) => void;
}

/** Looks twice as often as that, and believes what it finds twice in a row with nothing moved in between. */
export function watchForStall(watched: Watched): Disposable {
  let moved = watched.moved();
  let suspicion: string | undefined;
  let isBusy = false;
  let hasEnded = false;
  const look = async () => {
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
    void look().finally(() => (isBusy = false));
  }, watched.seconds * 500);
  const end = () => {
    hasEnded = true;
    clearInterval(timer);
  };
  return { [Symbol.dispose]: end };
}

/** Between what is said and the moment that makes two findings the same. */
const MOMENT = '\n';

/** Undefined: it is at work, or the server answers but will not say. */
async function suspicionOf({ lookAt }: Watched): Promise<string | undefined> {
  try {
    const backend = await lookAt();
    if (!backend) return `that server has no such session any more${MOMENT}`;
    if (!backend.waitsForClient) return undefined;
    return `that server waits for us while we wait for it${MOMENT}${backend.changedAt}`;
  } catch (error) {
    const isAnswer =
      error instanceof IncrepError && error.sqlstate !== undefined && error.code !== 'CONNECTION_LOST';
    return isAnswer ? undefined : `a new connection gets no answer either${MOMENT}`;
  }
}
