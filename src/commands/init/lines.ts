import { wrap } from '../../observe/text.ts';

/** Lines that fit; what follows a break stands a little further in than its line began. */
export const fitted = (text: string, width: number): string =>
  text
    .split('\n')
    .flatMap((line) => wrap(line, width, `${/^ */.exec(line)?.[0] ?? ''}  `))
    .join('\n');
