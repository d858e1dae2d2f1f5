/** Errors: problem documents for programs, HTML for browsers. */
import { z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { IncrepError } from '../../errors.ts';
import { READ_ONLY, RefusedRequest, refusalOf, UNAVAILABLE, type RefusalText } from '../refusal.ts';
import { RETRY_SECONDS, type WebContext, type WebPage } from './web-app.ts';

interface ErrorParts {
  /** The error of a statement, for the log. */
  readonly asControlError: (error: unknown) => IncrepError;
  readonly onError: (error: unknown) => void;
  readonly page: WebPage | undefined;
}

export async function answerError(
  thrown: unknown,
  context: WebContext,
  { asControlError, onError, page }: ErrorParts,
): Promise<Response> {
  const refusal = textOf(thrown, asControlError);
  if (refusal.status >= 500) onError(thrown);
  const { status } = refusal;
  if (status === 503) context.header('retry-after', String(RETRY_SECONDS));
  if (status === 401) context.header('www-authenticate', 'Bearer realm="increp"');
  const { path, method } = context.req;
  // Prometheus and scripts do not ask for HTML.
  const wantsPage = context.req.header('accept')?.includes('text/html') === true;
  if (path.startsWith('/api/') || !page || !wantsPage) return problem(context, refusal);
  // A form that a browser sends gets the reason. A page that it asks for leads to the login.
  if (status === 401 && method === 'GET')
    return context.redirect(`/login?next=${encodeURIComponent(path)}`, 303);
  return page.renderRefusal(context, refusal);
}

function textOf(thrown: unknown, asControlError: ErrorParts['asControlError']): RefusalText {
  if (thrown instanceof z.ZodError) return refusalOf(invalid(thrown));
  if (thrown instanceof HTTPException) return refusalOf(unreadable(thrown.status));
  const known = refusalOf(thrown);
  if (known.status !== 500) return known;
  const error = asControlError(thrown);
  if (NO_TEXT.includes(error.sqlstate ?? ''))
    return refusalOf(
      new RefusedRequest(
        'INVALID_REQUEST',
        'the request has characters that no text has',
        'Remove the byte 0.',
      ),
    );
  if (error.code === 'READ_ONLY') return READ_ONLY;
  return refusalOf(error).status === 503 ? UNAVAILABLE : known;
}

/** SQLSTATEs: a byte 0 in a text, or in the text of JSON. */
const NO_TEXT = ['22021', '22P05'];

/** Hono reads the body. Its own texts do not say what to do. */
const unreadable = (status: number): RefusedRequest =>
  status === 415
    ? new RefusedRequest(
        'UNSUPPORTED_MEDIA_TYPE',
        'the request does not say that its body is JSON',
        'Send the header "Content-Type: application/json".',
      )
    : new RefusedRequest(
        'INVALID_REQUEST',
        'the body is not valid JSON',
        'Check its quotes and brackets. An empty body is not JSON; send {}.',
      );

/** Without the value, which may be a secret in the wrong place. */
function invalid({ issues }: z.ZodError): RefusedRequest {
  const texts = issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
  return new RefusedRequest('INVALID_REQUEST', texts.join('; '), 'See /api/v1/openapi.json.');
}

function problem(context: WebContext, { status, code, message, hint }: RefusalText): Response {
  const body = { type: 'about:blank', title: code, status, code, detail: message, hint };
  return context.body(`${JSON.stringify(body)}\n`, status, { 'content-type': 'application/problem+json' });
}
