/** The text that docs/errors.md adds to the sentence of an error code in the catalogue. All of it is Markdown, except the example. */
export interface ErrorPage {
  /** What happened to the tables, after the one sentence of the catalogue. */
  readonly about: string;
  readonly causes: readonly string[];
  /** What to do, with the commands. */
  readonly steps: readonly string[];
  /** The lines that increp prints. test/cli/failures.test.ts causes each error and compares. */
  readonly example: readonly string[];
}
