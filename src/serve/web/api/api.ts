/** The API below /api/v1, and its description for programs. */
import type { WebApp, WebParts } from '../web-app.ts';
import { addDefinitions } from './definitions.ts';
import { addDocument } from './document.ts';
import { addHooks } from './hooks.ts';
import { addOperations } from './operate.ts';
import { addReading } from './read.ts';
import { addStream } from './stream.ts';
import { addTokens } from './tokens.ts';

export function addApi(app: WebApp, parts: WebParts): void {
  addReading(app, parts);
  addOperations(app, parts);
  addDefinitions(app, parts);
  addHooks(app, parts);
  addStream(app, parts);
  addTokens(app, parts);
  addDocument(app);
}
