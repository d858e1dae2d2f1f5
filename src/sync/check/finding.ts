/** One result of `check`. */
export interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  /** Stable, for scripts. */
  readonly code: string;
  /** The table it is about; undefined for the pipeline as a whole. */
  readonly table: string | undefined;
  readonly message: string;
  /** What to do; undefined where nothing has to be done. */
  readonly action: string | undefined;
  /** What `check` exits with when this is the worst; set for errors. */
  readonly exitCode?: number | undefined;
}
