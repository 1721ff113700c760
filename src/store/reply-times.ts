// How long the store takes to answer once it has a whole part, and so for how long an answer is worth waiting for: a reset
// may have swallowed it, and then nothing comes any more.

/** An answer that has not come by then is late. */
const LATE_MS = 3000;
/** No store is given up before it had that many times what it has needed lately. */
const PATIENCE = 4;
const LIMIT_MAX_MS = 60_000;
/** What was slow is forgotten over some tens of answers. */
const FADE = 0.95;

export class ReplyTimes {
  #slowestMs = 0;
  /** Grows while answers do not come at all: then it may be the store that is slow, and asking again makes it slower. */
  #leastMs: number = LATE_MS;

  /** Milliseconds. */
  get limitMs(): number {
    return Math.min(LIMIT_MAX_MS, Math.max(this.#leastMs, PATIENCE * this.#slowestMs));
  }

  /** An answer came so long after the store had everything. */
  took(ms: number): void {
    this.#slowestMs = Math.max(ms, this.#slowestMs * FADE);
    this.#leastMs = LATE_MS;
  }

  /** None came within `limitMs`, as it was then. */
  missed(limitMs: number): void {
    this.#leastMs = Math.max(this.#leastMs, Math.min(LIMIT_MAX_MS, 2 * limitMs));
  }
}
