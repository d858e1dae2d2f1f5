import { painter, type Look } from './style.ts';
import { printableLine } from './text.ts';

/** Above what is told of one of them. */
export const destinationHeading = (name: string, isFirst: boolean, look: Look): string =>
  `${isFirst ? '' : '\n'}${painter(look)('bold', `destination ${printableLine(name)}`)}\n`;
