// What a scenario has come to.

export interface Result {
  readonly seed: number;
  readonly program: string;
  readonly fault: string;
  /** In sentences; none: it went well. */
  readonly failures: readonly string[];
  readonly ms: number;
}
