import { formatCount } from '../format.ts';

/** An age in one unit: `90 s`, `61 min`, `30 h`, `12 days`. */
export function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172_800
    ? `${Math.round(whole / 3600)} h`
    : `${formatCount(Math.round(whole / 86_400))} days`;
}
