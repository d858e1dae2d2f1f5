/**
 * Lets a dialogue go back to the question before. The dialogue runs again: the questions before that are answered
 * from the record, and no server is asked twice.
 */
import { attempt, type Attempted } from '../../errors.ts';
import { WentBack, type AskedQuestion, type Prompts } from './prompts.ts';

export interface Dialogue extends Prompts {
  /** Work whose result, or error, is kept if the user goes back. */
  readonly once: <T>(work: () => Promise<T>) => Promise<T>;
}

type RecordedStep =
  | { readonly kind: 'answer'; readonly answer: unknown; readonly id: string }
  | { readonly kind: 'work'; readonly result: Attempted<unknown> };

export async function withGoingBack<T>(
  prompts: Prompts,
  dialogue: (dialogue: Dialogue) => Promise<T>,
): Promise<T> {
  const steps: RecordedStep[] = [];
  const undone = new Map<string, unknown>();
  for (;;) {
    try {
      return await dialogue(recording(prompts, steps, undone));
    } catch (error) {
      if (!(error instanceof WentBack)) throw error;
      const last = steps.findLastIndex(({ kind }) => kind === 'answer');
      if (last < 0) prompts.warn('This is the first question. To stop, press Ctrl-C.');
      else
        for (const step of steps.splice(last)) if (step.kind === 'answer') undone.set(step.id, step.answer);
    }
  }
}

const idOf = ({ id, message }: AskedQuestion): string => id ?? message;

/**
 * Adds to `steps`. Each question that is asked again starts from its former answer, also if the user went back past
 * several questions.
 */
function recording(prompts: Prompts, steps: RecordedStep[], undone: Map<string, unknown>): Dialogue {
  let next = 0;
  const ask = async <T>(
    question: AskedQuestion & { readonly initial?: T | undefined },
    prompt: (initial: T | undefined) => Promise<T>,
  ): Promise<T> => {
    const id = idOf(question);
    const known = steps[next];
    if (known?.kind !== 'answer') {
      const answer = await prompt(undone.has(id) ? (undone.get(id) as T) : question.initial);
      undone.delete(id);
      steps[next] = { kind: 'answer', answer, id };
      next += 1;
      return answer;
    }
    next += 1;
    return known.answer as T;
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
    text: (question) => ask(question, (initial) => prompts.text({ ...question, initial })),
    secret: (question) => ask(question, (initial) => prompts.secret({ ...question, initial })),
    choose: (question) =>
      ask(question, (initial) => {
        const isOffered = question.choices.some(({ value }) => value === initial);
        return prompts.choose({ ...question, initial: isOffered ? initial : question.initial });
      }),
    chooseMany: async (question) => {
      const offered = question.choices.map(({ value }) => value);
      const chosen = await ask(question, (initial) =>
        prompts.chooseMany({ ...question, initial: initial?.filter((each) => offered.includes(each)) }),
      );
      return [...chosen];
    },
    confirm: (question) =>
      ask(question, (initial = question.initial) => prompts.confirm({ ...question, initial })),
    say: now(prompts.say),
    warn: now(prompts.warn),
    done: now(prompts.done),
  };
}
