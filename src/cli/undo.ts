// What was started, to be stopped in reverse order (Node 20 lacks `AsyncDisposableStack`).

export class Undo {
  readonly #steps: (() => void | Promise<void>)[] = [];

  /** `step` runs before all that were added earlier. */
  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs all steps once, the last added first. One that fails does not keep the others from running; its error is thrown. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
