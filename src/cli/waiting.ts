// What `unmount` and `wait` show while they wait: bars on a screen, elsewhere a line whenever it is about something else.

import type { Clock } from "../base/mod.ts";
import type { MountStatus } from "../control/mod.ts";
import { drawStatus } from "./draw.ts";
import { showWaiting } from "./show.ts";
import { Drawing, type Terminal } from "./terminal.ts";

export class Waiting {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, "now">;
  readonly #drawing: Drawing;
  #said = "";

  constructor(terminal: Terminal, clock: Pick<Clock, "now">) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#drawing = new Drawing(terminal);
  }

  /** `status` has only what is waited for. */
  show(status: MountStatus): void {
    const line = showWaiting(status);
    if (this.#terminal.isScreen) {
      const { columns, rows } = this.#terminal.size();
      // One row stays for the cursor, and the last column empty: some terminals wrap there.
      const size = { columns: columns - 1, rows: rows - 2, now: this.#clock.now() };
      return this.#drawing.show([line, ...drawStatus([status], size)]);
    }
    if (line === this.#said) return;
    this.#said = line;
    this.#terminal.out(`${line}\n`);
  }

  /** Leaves a screen as if nothing had been shown. */
  clear(): void {
    this.#drawing.clear();
  }
}
