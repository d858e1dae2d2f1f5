/** Pairs whose servers are reached through an SSH server. */
import { freshPair, type Pair } from './pair.ts';
import type { Sshd } from './sshd.ts';

export const through = ({ address, command }: Sshd, prefix: 'SOURCE' | 'DEST' = 'SOURCE') => ({
  [`${prefix}_SSH`]: address,
  [`${prefix}_SSH_COMMAND`]: command,
});

/** Only the source is behind it. */
export async function pairBehind(
  sshd: Sshd,
  options: Parameters<typeof freshPair>[0] = 'orders',
): Promise<Pair> {
  const pair = await freshPair(options);
  await pair.setEnv(through(sshd));
  return pair;
}
