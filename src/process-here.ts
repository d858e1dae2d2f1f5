/** Processes of this machine. */
import process from 'node:process';

/** Whether there is no such process, as far as this one sees: a container sees only its own. */
export function hasNoProcess(id: number): boolean {
  try {
    process.kill(id, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
