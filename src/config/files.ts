import { readFile } from 'node:fs/promises';

/** What a file says, or why it says nothing. */
export type FileText =
  | { readonly text: string; readonly fault?: undefined }
  | { readonly text?: undefined; readonly fault: string; readonly isMissing: boolean };

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a directory, not a file',
  EACCES: 'cannot be read: permission denied',
};

export async function readText(path: string): Promise<FileText> {
  try {
    return { text: await readFile(path, 'utf8') };
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? String(thrown);
    const fault = FAULTS[code] ?? `cannot be read (${code})`;
    return { fault, isMissing: fault === FAULTS['ENOENT'] };
  }
}
