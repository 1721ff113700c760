// Plays a program's operations in a process of its own on a real mount, and tells the model what was promised.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Moments } from "./life.ts";
import type { Model } from "./model.ts";
import type { Operation } from "./operations.ts";

const PLAYER = fileURLToPath(new URL("player.py", import.meta.url));

/** How a program ended; `at`: the operation that has failed. */
export type RealEnding =
  | { readonly kind: "done" | "killed" }
  | { readonly kind: "failed"; readonly errno: string; readonly at: Operation };

export class RealPlayer {
  readonly #model: Model;
  readonly #moments: Moments;
  readonly #child: ChildProcess;
  #killed = false;

  /** @param dir the mount. */
  constructor(dir: string, parts: { model: Model; moments: Moments }) {
    this.#model = parts.model;
    this.#moments = parts.moments;
    // A group of its own: the programs that it runs die with it.
    this.#child = spawn("python3", [PLAYER, dir], {
      detached: true,
      stdio: ["pipe", "pipe", "inherit"],
    });
    // It may be killed while it is written to.
    this.#child.stdin?.on("error", () => {});
  }

  /** SIGKILL of it and of what it runs. @returns false when it has ended already. */
  kill(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return false;
    this.#killed = true;
    this.#model.ended("killed", "before");
    process.kill(-pid, "SIGKILL");
    return true;
  }

  /** Until it has ended by itself, by an error, or by a signal. */
  async play(operations: readonly Operation[]): Promise<RealEnding> {
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new Error("the player has no pipes");
    const exited = once(this.#child, "exit");
    stdin.write(`${JSON.stringify(operations)}\n`);
    let ending: RealEnding = { kind: "done" };
    for await (const line of createInterface(stdout)) {
      const [what, number, errno = ""] = line.split(" ");
      const operation = operations[Number(number)];
      if (operation === undefined || this.#killed) continue;
      if (what === "begin") {
        this.#moments.note("operation", "before");
        this.#model.before(operation);
        stdin.write("\n");
      } else if (what === "end") {
        this.#model.after(operation);
        this.#moments.note("operation", "after");
      } else {
        // It closes what it has open by its exit, whatever the error was.
        this.#model.ended("exited", "before");
        ending = { kind: "failed", errno, at: operation };
      }
    }
    await exited;
    return this.#killed ? { kind: "killed" } : ending;
  }
}
