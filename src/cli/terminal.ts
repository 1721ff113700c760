// What a command writes to, and how it says that something went wrong. Commands do not write to `process` themselves, so
// that tests can read what they say.

import { type Code, codeOf, describe, toError } from "../base/mod.ts";

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` is a screen, on which lines may be drawn over. */
  readonly isScreen: boolean;
  /** Of the screen, as it is now. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Exit codes, as `--help` and docs/operations.md have them. */
export const EXIT_OK = 0;
/** It failed, or something is left that is not in the bucket. */
export const EXIT_FAILED = 1;
/** The command line or the configuration is wrong: nothing was done. */
export const EXIT_USAGE = 2;

/** Says `kodomount: <one sentence>`, with a stack only for those who debug, and gives the exit code. */
export function report(terminal: Terminal, thrown: unknown, debug: boolean): number {
  terminal.err(`kodomount: ${sentenceOf(thrown)}\n`);
  if (debug) terminal.err(`${toError(thrown).stack ?? ""}\n`);
  return codeOf(thrown) === "Config" ? EXIT_USAGE : EXIT_FAILED;
}

/** Where our own words say it all; elsewhere the causes say more. */
const PLAIN: ReadonlySet<Code> = new Set<Code>(["Config", "Busy", "NotFound"]);

/** What a person is told, in one line. */
export function sentenceOf(thrown: unknown): string {
  const text = PLAIN.has(codeOf(thrown)) ? toError(thrown).message : describe(thrown);
  return text.replace(/\s*\n\s*/g, " ");
}

/** Lines on a screen that are drawn over by the next ones. */
export class Drawing {
  readonly #terminal: Terminal;
  #rows = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Shows `lines`, none wider than the screen, instead of what was shown before. */
  show(lines: readonly string[]): void {
    this.#terminal.out(`${this.#back()}${lines.map((line) => `${line}\n`).join("")}`);
    this.#rows = lines.length;
  }

  /** Leaves the screen as if nothing had been shown. */
  clear(): void {
    if (this.#rows > 0) this.#terminal.out(this.#back());
    this.#rows = 0;
  }

  /** To where the drawing began, and everything from there on gone (ECMA-48: CPL, ED). */
  #back(): string {
    return this.#rows === 0 ? "" : `\x1b[${this.#rows}F\x1b[J`;
  }
}
