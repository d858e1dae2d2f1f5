/** The API below /api/v1, and its description for programs. */
import type { WebApp, WebParts } from '../web-app.ts';
import { addOperations } from './operate.ts';
import { addTokens } from './tokens.ts';

export function addApi(app: WebApp, parts: WebParts): void {
  addOperations(app, parts);
  addTokens(app, parts);
}
