/**
 * Lets a dialogue go back to the question before. The dialogue runs again: the questions before that are answered
 * from the record, and no server is asked twice.
 */
import { attempt, type Attempted } from '../../errors.ts';
import { WentBack, type Prompts } from './prompts.ts';

export interface Dialogue extends Prompts {
  /** Work whose result, or error, is kept if the user goes back. */
  readonly once: <T>(work: () => Promise<T>) => Promise<T>;
}

type RecordedStep =
  | { readonly kind: 'answer'; readonly answer: unknown }
  | { readonly kind: 'work'; readonly result: Attempted<unknown> };

export async function withGoingBack<T>(
  prompts: Prompts,
  dialogue: (dialogue: Dialogue) => Promise<T>,
): Promise<T> {
  const steps: RecordedStep[] = [];
  let former: RecordedStep | undefined;
  for (;;) {
    try {
      return await dialogue(recording(prompts, steps, former));
    } catch (error) {
      if (!(error instanceof WentBack)) throw error;
      const last = steps.findLastIndex(({ kind }) => kind === 'answer');
      if (last < 0) prompts.warn('This is the first question. To stop, press Ctrl-C.');
      else [former] = steps.splice(last);
    }
  }
}

/** Adds to `steps`. The question that is asked again starts from its former answer. */
function recording(prompts: Prompts, steps: RecordedStep[], former: RecordedStep | undefined): Dialogue {
  const again = steps.length;
  let next = 0;
  const ask = async <T>(question: (initial: T | undefined) => Promise<T>): Promise<T> => {
    const isAgain = next === again && former?.kind === 'answer';
    const known = steps[next];
    const answer =
      known?.kind === 'answer' ? known.answer : await question(isAgain ? (former.answer as T) : undefined);
    steps[next++] = { kind: 'answer', answer };
    return answer as T;
  };
  const once = async <T>(work: () => Promise<T>): Promise<T> => {
    const known = steps[next];
    const result = known?.kind === 'work' ? known.result : await attempt(work);
    steps[next++] = { kind: 'work', result };
    if (result.kind === 'failed') throw result.error;
    return result.value as T;
  };
  const now = (tell: (text: string) => void) => (text: string) => {
    if (next === steps.length) tell(text);
  };
  return {
    once,
    text: (question) => ask((initial = question.initial) => prompts.text({ ...question, initial })),
    secret: (question) => ask(() => prompts.secret(question)),
    choose: (question) => ask((initial = question.initial) => prompts.choose({ ...question, initial })),
    chooseMany: (question) =>
      ask((initial = question.initial) => prompts.chooseMany({ ...question, initial })),
    confirm: (question) => ask((initial = question.initial) => prompts.confirm({ ...question, initial })),
    say: now(prompts.say),
    warn: now(prompts.warn),
    done: now(prompts.done),
  };
}
