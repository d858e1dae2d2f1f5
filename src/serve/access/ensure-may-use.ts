/** The pipelines of a token. */
import { RefusedRequest } from '../refusal.ts';
import { mayUsePipeline, type Actor } from './roles.ts';

/** For routes that find the pipeline by other means than their path. Throws a RefusedRequest FORBIDDEN. */
export function ensureMayUse(actor: Actor, pipeline: string): void {
  if (!mayUsePipeline(actor, pipeline))
    throw new RefusedRequest(
      'FORBIDDEN',
      `token ${actor.name} may not use pipeline ${pipeline}`,
      'Use another token: increp token create --role ROLE --pipeline PIPELINE',
    );
}
