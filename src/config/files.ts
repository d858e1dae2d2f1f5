import { readFile } from 'node:fs/promises';
import { fileFault } from '../system-fault.ts';

/** The text of a file, or the reason why it cannot be read. */
export type FileText =
  | { readonly text: string; readonly fault?: undefined }
  | { readonly text?: undefined; readonly fault: string; readonly isMissing: boolean };

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a directory, not a file',
};

export async function readText(path: string): Promise<FileText> {
  try {
    return { text: await readFile(path, 'utf8') };
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    const fault = FAULTS[code] ?? `cannot be read: ${fileFault(thrown)}`;
    return { fault, isMissing: fault === FAULTS['ENOENT'] };
  }
}
