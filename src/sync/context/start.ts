/** `at` is for display and for states. `ticks` (milliseconds) measures durations, because the system clock may be changed. */
export interface Start {
  readonly at: Date;
  readonly ticks: number;
}

export const startNow = (): Start => ({ at: new Date(), ticks: performance.now() });
