import { painter, type Style } from './style.ts';
import { printableLine } from './text.ts';

/** The heading of the output for one of several destinations. */
export const destinationHeading = (name: string, isFirst: boolean, style: Style): string =>
  `${isFirst ? '' : '\n'}${painter(style)('bold', `destination ${printableLine(name)}`)}\n`;
