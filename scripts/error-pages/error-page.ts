/** What docs/errors.md says of one code, beside what stands in the catalogue. Markdown, but for the example. */
export interface ErrorPage {
  /** What it means for the copies, after the one sentence of the catalogue. */
  readonly about: string;
  readonly causes: readonly string[];
  /** What to do, with what to type. */
  readonly steps: readonly string[];
  /** Line by line as it is printed; test/cli/failures.test.ts brings it about and compares. */
  readonly example: readonly string[];
}
