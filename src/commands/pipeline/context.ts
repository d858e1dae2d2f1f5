/** A pipeline for a command: with the terminal that shows its results. */
import { withPipeline, type PipelineContext, type PipelineOptions } from '../../pipeline/context.ts';
import { wrapLines } from '../../report/text.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface Context extends PipelineContext {
  readonly terminal: Terminal;
}

export interface ContextOptions extends Omit<PipelineOptions, 'onRefusedLogin'> {
  readonly terminal: Terminal;
}

export const withContext = <T>(
  options: ContextOptions,
  use: (context: Context) => Promise<T>,
): Promise<T> => {
  const { terminal } = options;
  const onRefusedLogin = (warnings: readonly string[]) => {
    for (const warning of warnings) terminal.say(wrapLines(`warning: ${warning}\n`, terminal.sayStyle));
  };
  return withPipeline({ ...options, onRefusedLogin }, (context) => use({ ...context, terminal }));
};
