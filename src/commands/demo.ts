/** `increp demo`: shows increp at work, on two real servers that are removed afterwards. */
import { playDemo } from '../demo/demo.ts';
import { playServiceDemo } from '../demo/service-demo.ts';
import { createStory } from '../demo/story.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import type { GlobalOptions } from './terminal/options.ts';

export interface DemoOptions extends GlobalOptions {
  readonly keep: boolean;
  readonly serve: boolean;
}

export async function demoCommand(_tables: readonly string[], options: DemoOptions): Promise<number> {
  const { terminal, environment, signal, keep } = options;
  const story = createStory({ out: (text) => terminal.out(text), style: terminal.style });
  try {
    if (options.serve) {
      const { makeToken } = await import('./service/make-token.ts');
      await playServiceDemo({
        ...{ story, environment, signal },
        makeToken: (place) => makeToken(place, options),
      });
      return 0;
    }
    const areEqual = await playDemo({
      story,
      environment,
      signal,
      isKept: keep,
      isSabotaged: Boolean(environment['INCREP_DEMO_SABOTAGE']),
    });
    return areEqual ? 0 : 1;
  } catch (error) {
    throw signal.aborted ? interrupted(signal) : error;
  }
}

function interrupted({ reason }: AbortSignal): IncrepError {
  const { message, exitCode } = asIncrepError(reason);
  return new IncrepError('INTERRUPTED', {
    what: message,
    next: 'The demo has removed its servers and all their files.',
    exitCode,
  });
}
