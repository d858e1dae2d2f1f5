/** Why the service does not do what a request asks for. The API and the page have forms of their own for it. */
import { IncrepError } from '../errors.ts';

const STATUS = {
  INVALID_REQUEST: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  LENGTH_REQUIRED: 411,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNKNOWN_HOST: 421,
  NOT_POSSIBLE: 422,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;

export type RefusalCode = keyof typeof STATUS;
export type RefusalStatus = (typeof STATUS)[RefusalCode];

export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly code: string;
  readonly status: RefusalStatus;
  readonly hint: string;

  /** The message is what happened; the hint is what to do next. */
  constructor(code: RefusalCode, message: string, hint: string) {
    super(message);
    this.code = code;
    this.status = STATUS[code];
    this.hint = hint;
  }
}

/** What clients see of any error. The text of an unknown error may hold a secret, so it only goes to the log. */
export interface RefusalText {
  readonly status: RefusalStatus;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export function refusalOf(thrown: unknown): RefusalText {
  if (thrown instanceof RefusedRequest) {
    const { status, code, message, hint } = thrown;
    return { status, code, message, hint };
  }
  if (thrown instanceof IncrepError) {
    const { code, message, next: hint, isTransient } = thrown;
    if (code === 'CONFIG_INVALID') return { status: 422, code, message, hint };
    if (isTransient) return UNAVAILABLE;
  }
  return INTERNAL;
}

export const UNAVAILABLE: RefusalText = {
  status: 503,
  code: 'UNAVAILABLE',
  message: 'the control database does not answer',
  hint: 'Try again in a few seconds. The log of increp serve says more.',
};

export const READ_ONLY: RefusalText = {
  status: 503,
  code: 'READ_ONLY',
  message: 'the control database accepts no changes',
  hint: 'It may be a standby. Check SERVE_DATABASE_URL; with several hosts, add target_session_attrs=read-write.',
};

const INTERNAL: RefusalText = {
  status: 500,
  code: 'INTERNAL',
  message: 'the request failed because of a bug in increp',
  hint: 'The log of increp serve says more. Please report it.',
};
