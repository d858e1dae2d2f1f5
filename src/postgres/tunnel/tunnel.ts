/** One tunnel of a run. All connections of a side share it, and it is opened again if it is lost. */
import { backoffSeconds, sleep } from '../../backoff.ts';
import { IncrepError } from '../../errors.ts';
import type { Timing } from '../../timing.ts';
import type { EndedSsh } from './ssh-errors.ts';
import { startSsh, type SshProcess, type SshRequest } from './ssh-process.ts';

export interface TunnelWait {
  /** For the connection to the bastion. 0 means no limit. */
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}

type TunnelRequest = Pick<SshRequest, 'side' | 'bastion' | 'targets' | 'directory' | 'environment'>;

export class Tunnel implements AsyncDisposable {
  readonly #request: TunnelRequest;
  readonly #timing: Timing;
  readonly #closing = new AbortController();
  #current: SshProcess | undefined;
  #opening: Promise<SshProcess> | undefined;
  /** Starts since a tunnel last worked for a while. The wait before the next start grows with it. */
  #starts = 0;
  #lastEnd: { readonly at: number; readonly ended: EndedSsh } | undefined;

  constructor(request: TunnelRequest, timing: Timing) {
    this.#request = request;
    this.#timing = timing;
  }

  get request(): TunnelRequest {
    return this.#request;
  }

  /** Opens the tunnel if it is not open. @throws IncrepError SSH_FAILED */
  async open({ seconds, signal }: TunnelWait): Promise<SshProcess> {
    if (this.#current?.hasEnded === false) return this.#current;
    this.#closing.signal.throwIfAborted();
    this.#opening ??= this.#start(seconds).finally(() => (this.#opening = undefined));
    return orAborted(this.#opening, signal);
  }

  /** A tunnel that has worked is opened again for a while. The first attempt of a run fails at once. */
  async #start(connectSeconds: number): Promise<SshProcess> {
    const { login, keepAlive, reopen, retryDelay } = this.#timing.tunnel;
    const signal = this.#closing.signal;
    const hasWorked = this.#current !== undefined;
    const end = performance.now() + reopen * 1000;
    for (;;) {
      if (this.#starts > 0) await sleep(backoffSeconds(this.#starts, retryDelay), signal);
      this.#starts += 1;
      try {
        const ssh = await startSsh({
          ...this.#request,
          connectSeconds,
          loginSeconds: login,
          keepAliveSeconds: keepAlive,
          killDelaySeconds: this.#timing.childKillDelay,
          signal,
        });
        this.#current = ssh;
        this.#recordEnd(ssh);
        return ssh;
      } catch (error) {
        signal.throwIfAborted();
        const mayHelp = error instanceof IncrepError && error.isTransient && performance.now() < end;
        if (!hasWorked || !mayHelp) throw error;
      }
    }
  }

  #recordEnd(ssh: SshProcess): void {
    const began = performance.now();
    const record = (ended: EndedSsh): void => {
      const at = performance.now();
      this.#lastEnd = { at, ended };
      if (at - began > this.#timing.tunnel.retryDelay.max * 1000) this.#starts = 0;
    };
    void ssh.ended.then(record);
  }

  /** How ssh ended, if a connection that failed now may have failed for this reason. */
  async recentEnd(): Promise<EndedSsh | undefined> {
    if (this.#current) await endSoon(this.#current);
    const { at, ended } = this.#lastEnd ?? {};
    return at !== undefined && performance.now() - at < RECENT_MS ? ended : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the tunnel was closed'));
    await this.#opening?.catch(() => undefined);
    await this.#current?.stop();
  }
}

/** Connections end a moment before their process. Undefined if it goes on. */
export const endSoon = (ssh: SshProcess): Promise<EndedSsh | undefined> =>
  Promise.race([ssh.ended, sleep(END_GRACE_SECONDS).then(() => undefined)]);

const END_GRACE_SECONDS = 0.3;
const RECENT_MS = 5000;

async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
