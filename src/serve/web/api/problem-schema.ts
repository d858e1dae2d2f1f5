/** RFC 9457. */
import { z } from '@hono/zod-openapi';

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('A code of increp, as in docs/errors.md, or a code of the service.'),
    detail: z.string().describe('The message of the error.'),
    hint: z.string().describe('The next step.'),
  })
  .openapi('Problem');
