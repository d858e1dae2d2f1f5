/** Where `serve` listens. */
import { IncrepError } from '../../errors.ts';
import { LOOPBACK } from './origin.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** @throws IncrepError USAGE, CONFIG_INVALID */
export function readListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  if (host === '' || Number(port) > 65_535)
    throw new IncrepError('USAGE', {
      what: `--listen: "${text}" is not a host and a port`,
      next: 'Write --listen 127.0.0.1:7420.',
    });
  if (!LOOPBACK.test(host))
    throw new IncrepError('CONFIG_INVALID', {
      what: `--listen ${text}: only this machine may reach the service, because it has no tokens yet`,
      next: 'Listen on 127.0.0.1. To reach the service from another machine, use a tunnel: ssh -L 7420:127.0.0.1:7420 HOST',
    });
  return { host, port: Number(port) };
}
