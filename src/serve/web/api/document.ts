/** The OpenAPI document, made from the routes. */
import type { WebApp } from '../web-app.ts';
import { API } from './declare.ts';

export function addDocument(app: WebApp): void {
  const path = `${API}/openapi.json`;
  app.hono.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    ...{ type: 'http', scheme: 'bearer' },
    description: 'A token of "increp token create".',
  });
  app.add({ method: 'get', path, access: 'open' }, (context) =>
    context.json(
      app.hono.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          ...{ title: 'increp serve', version: '1' },
          description: 'Pipelines, tables, runs and workers of the service. Fields are only ever added.',
        },
      }),
    ),
  );
}
