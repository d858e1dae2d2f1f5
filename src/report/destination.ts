import { painter, type Style } from './style.ts';
import { printableLine } from './text.ts';

/** Above what is told of one of them. */
export const destinationHeading = (name: string, isFirst: boolean, style: Style): string =>
  `${isFirst ? '' : '\n'}${painter(style)('bold', `destination ${printableLine(name)}`)}\n`;
