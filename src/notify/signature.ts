/** The signature of Standard Webhooks 1.0 (standardwebhooks.com), symmetric scheme `v1`. */
import { createHmac, randomUUID } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

/** Contains no full stops, because full stops separate the parts of the signed text. */
export function newMessageId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`;
}

function signingKey(secret: string): Buffer {
  if (secret.startsWith(SECRET_PREFIX)) return Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  return Buffer.from(secret, 'utf8');
}

interface Signed {
  readonly id: string;
  /** Unix seconds of this attempt. Each retry is signed again. */
  readonly timestamp: number;
  readonly body: string;
}

export function signatureOf(secret: string, { id, timestamp, body }: Signed): string {
  const digest = createHmac('sha256', signingKey(secret))
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64');
  return `v1,${digest}`;
}
