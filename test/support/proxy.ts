/** A TCP proxy in front of a server that can break in the ways networks do. For connections without TLS. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Who sent the bytes that a trigger looks at. */
export type Sender = 'client' | 'server';

/** What a trigger does to the connection that fired it; "mute" passes the bytes on, and nothing from then on. */
export type Fault = 'cut' | 'reset' | 'stall' | 'mute' | 'lose-reply';

export interface Trigger {
  readonly from: Sender;
  /** Fires when these bytes are seen in one connection... */
  readonly seen?: string | Buffer;
  /** ...or when this many have passed in one connection. */
  readonly afterBytes?: number;
  /** Only where this has been seen from the same sender before, in the same connection. */
  readonly after?: string;
  readonly fault: Fault;
  /** How many connections it may hit, one after the other; 1 unless told. */
  readonly times?: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Connections ever made. */
  readonly accepted: number;
  /** How often a trigger has fired. */
  readonly fired: number;
  /** How often a client has spoken after its server: each time it had to wait for an answer before. */
  readonly roundTrips: number;
  /** How often clients have sent what matches; of what they send as text, for proxies in front of a source. */
  heard(pattern: RegExp): number;
  /** Ends all connections politely (FIN). */
  cut(): void;
  /** Ends all connections rudely (RST). */
  reset(): void;
  /** Passes nothing on, in either direction, also in new connections: a half-open network. */
  stall(): void;
  /** Accepts no new connections (ECONNREFUSED); those that are open stay. */
  refuse(): Promise<void>;
  /** Undoes `stall`, `refuse` and `throttle`. */
  resume(): Promise<void>;
  /** Bytes per second and direction of each connection. */
  throttle(bytesPerSecond: number): void;
  /** Milliseconds that each piece of data takes longer, in either direction. */
  delay(milliseconds: number): void;
  /** Arms a fault; several may be armed. */
  when(trigger: Trigger): void;
  /** The server gets the bytes and acts on them, the client gets a reset instead of the reply. */
  dropReplyTo(bytes: string | Buffer): void;
  /** Resolves when a trigger has fired `times` times in all. */
  waitUntilFired(times?: number, timeout?: number): Promise<void>;
}

interface ArmedTrigger extends Trigger {
  left: number;
}

interface Faults {
  isStalled: boolean;
  bytesPerSecond: number;
  delay: number;
  fired: number;
  roundTrips: number;
  readonly triggers: ArmedTrigger[];
  /** The first megabytes of what clients have sent. */
  heard: string;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  isStalled: boolean;
  lastSpeaker: Sender;
  /** The next data from the server is thrown away, and the connection with it. */
  isReplyLost: boolean;
}

export async function faultProxy(target: Target): Promise<FaultProxy> {
  const faults: Faults = {
    isStalled: false,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    delay: 0,
    fired: 0,
    roundTrips: 0,
    triggers: [],
    heard: '',
  };
  const links = new Set<Link>();
  let accepted = 0;
  // Half-open sockets are allowed so that a FIN is passed on, and not answered by us.
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1;
    openLink(client, target, faults, links);
  });
  await listen(listener, 0);
  const { port } = listener.address() as AddressInfo;
  const reset = () => links.forEach(resetLink);
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return links.size;
    },
    get accepted() {
      return accepted;
    },
    get fired() {
      return faults.fired;
    },
    get roundTrips() {
      return faults.roundTrips;
    },
    heard: (pattern) => [...faults.heard.matchAll(new RegExp(pattern, 'g'))].length,
    cut: () => links.forEach(cutLink),
    reset,
    stall: () => void (faults.isStalled = true),
    refuse: () => close(listener),
    resume: async () => {
      faults.isStalled = false;
      faults.bytesPerSecond = Number.POSITIVE_INFINITY;
      faults.delay = 0;
      for (const link of links) link.isStalled = false;
      if (!listener.listening) await listen(listener, port);
    },
    throttle: (bytesPerSecond) => void (faults.bytesPerSecond = bytesPerSecond),
    delay: (milliseconds) => void (faults.delay = milliseconds),
    when: (trigger) => void faults.triggers.push({ ...trigger, left: trigger.times ?? 1 }),
    dropReplyTo: (bytes) =>
      void faults.triggers.push({ from: 'client', seen: bytes, fault: 'lose-reply', left: 1 }),
    waitUntilFired: async (times = 1, timeout = 30_000) => {
      const deadline = Date.now() + timeout;
      while (faults.fired < times) {
        if (Date.now() > deadline) throw new Error(`the proxy fired ${faults.fired} of ${times} times`);
        await sleep(5);
      }
    },
    [Symbol.asyncDispose]: async () => {
      reset();
      await close(listener);
    },
  };
}

function openLink(client: Socket, target: Target, faults: Faults, links: Set<Link>): void {
  const server = connect({ ...target, allowHalfOpen: true });
  const link: Link = { client, server, isStalled: false, lastSpeaker: 'server', isReplyLost: false };
  links.add(link);
  client.setNoDelay(true);
  server.setNoDelay(true);
  // When one side is gone the other is ended in the same way. A stalled link stays: nobody tells anybody.
  client.on('error', () => closeRudely(server));
  server.on('error', () => closeRudely(client));
  for (const socket of [client, server]) {
    socket.on('close', () => {
      if (client.destroyed && server.destroyed) links.delete(link);
    });
  }
  void pump('client', link, faults);
  void pump('server', link, faults);
}

async function pump(from: Sender, link: Link, faults: Faults): Promise<void> {
  const [reader, writer] = from === 'client' ? [link.client, link.server] : [link.server, link.client];
  const watch = newWatch(from, link, faults);
  try {
    for await (const chunk of reader as AsyncIterable<Buffer>) {
      if (from === 'client' && link.lastSpeaker === 'server') faults.roundTrips += 1;
      link.lastSpeaker = from;
      if (from === 'client' && faults.heard.length < 4_000_000) faults.heard += chunk.toString('latin1');
      await heldBack(chunk.length, link, faults);
      if (from === 'server' && link.isReplyLost) return resetLink(link);
      const fault = watch(chunk);
      if (fault === 'cut') return cutLink(link);
      if (fault === 'reset') return resetLink(link);
      if (fault === 'lose-reply') link.isReplyLost = true;
      if (fault === 'stall') {
        link.isStalled = true;
        await heldBack(0, link, faults);
      }
      if (writer.destroyed) return;
      if (!writer.write(chunk)) await drained(writer);
      if (fault === 'mute') link.isStalled = true;
    }
    await heldBack(0, link, faults);
    writer.end();
    if (from === 'client') await endSoon(link);
  } catch {
    // A socket that was reset ends the loop with an error; the other side is told by its 'error' handler.
    writer.destroy();
  }
}

/**
 * A client of Postgres that has closed its end reads no more. Its backend, in the middle of a long answer to it, would
 * sit in a write for as long as we keep the other end open; and until then no database can be dropped.
 */
async function endSoon({ client, server }: Link): Promise<void> {
  await sleep(500);
  client.destroy();
  server.destroy();
}

/** Waits out a stall; a throttle and a delay take their time. */
async function heldBack(bytes: number, link: Link, faults: Faults): Promise<void> {
  const milliseconds = faults.delay + (bytes / faults.bytesPerSecond) * 1000;
  if (milliseconds > 0) await sleep(milliseconds);
  while (faults.isStalled || link.isStalled) {
    if (link.client.destroyed || link.server.destroyed) return;
    await sleep(5);
  }
}

async function drained(writer: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  writer.once('drain', resolve).once('close', resolve);
  await promise;
  writer.off('drain', resolve).off('close', resolve);
}

/** Looks at what one side of one connection sends, across the borders of packets. */
function newWatch(from: Sender, link: Link, faults: Faults): (chunk: Buffer) => Fault | undefined {
  let bytes = 0;
  let tail = Buffer.alloc(0);
  const ready = new Set<Trigger>();
  return (chunk) => {
    bytes += chunk.length;
    const text = Buffer.concat([tail, chunk]);
    const mine = faults.triggers.filter((trigger) => trigger.from === from && trigger.left > 0);
    const fired = mine.find(
      (trigger) => (trigger.after === undefined || ready.has(trigger)) && isHit(trigger, text, bytes),
    );
    for (const trigger of mine) if (trigger.after && text.includes(trigger.after)) ready.add(trigger);
    tail = text.subarray(Math.max(0, text.length - longestPattern(faults) + 1));
    if (!fired || link.isReplyLost) return undefined;
    fired.left -= 1;
    faults.fired += 1;
    return fired.fault;
  };
}

const isHit = ({ seen, afterBytes }: Trigger, text: Buffer, bytes: number) =>
  (seen !== undefined && text.includes(seen)) || (afterBytes !== undefined && bytes > afterBytes);

const longestPattern = ({ triggers }: Faults) =>
  Math.max(1, ...triggers.flatMap(({ seen = '', after = '' }) => [seen, after].map((text) => text.length)));

function cutLink({ client, server }: Link): void {
  client.destroySoon();
  server.destroySoon();
}

interface Handle {
  /** Closes with RST; not while the socket is being shut down (EINVAL). */
  reset(done: () => void): number;
}

/**
 * Not resetAndDestroy(), which ends the stream first: where that was on its way already, the reset is refused, Node
 * forgets the handle, and a backend sits in a write to a socket that nobody reads and nobody closes.
 */
function closeRudely(socket: Socket): void {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle | null };
  if (handle && !socket.writableEnded) handle.reset(() => socket.emit('close', true));
  socket.destroy();
}

function resetLink({ client, server }: Link): void {
  closeRudely(client);
  closeRudely(server);
}

function listen(listener: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', () => {
      listener.off('error', reject);
      resolve();
    });
  });
}

/** Stops accepting. The callback of close() waits for the connections as well, which are to stay. */
function close(listener: Server): Promise<void> {
  if (listener.listening) listener.close();
  return Promise.resolve();
}
