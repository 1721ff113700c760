// Words that must not be in the code, each with its reason.

import { linesWith, type SourceFile } from "./tree.ts";

/** The one file that may ask for the time and set timers. */
const CLOCK = "src/base/clock.ts";

export interface BannedWord {
  readonly pattern: RegExp;
  readonly why: string;
  /** Files that it is banned in. */
  readonly where: RegExp;
}

// Split, so that this file does not accuse itself.
const word = (...parts: string[]): string => parts.join("");

const BANNED: readonly BannedWord[] = [
  {
    pattern: new RegExp(`\\b(?:test|it|describe)\\.${word("on", "ly")}\\(`),
    why: "runs nothing but one test",
    where: /^test\//,
  },
  {
    pattern: new RegExp(`\\b${word("FIX", "ME")}\\b`),
    why: "mend it, or file an issue",
    where: /\.(ts|sh|md)$/,
  },
  {
    pattern: new RegExp(`\\b${word("TO", "DO")}\\b(?!\\(#\\d+\\))`),
    why: `needs the number of an issue: ${word("TO", "DO")}(#123)`,
    where: /\.(ts|sh|md)$/,
  },
  {
    // A method of that name is another thing (a socket's time limit), and so is a name within a string.
    pattern: new RegExp(
      `(?<![.\\w"'\`])(?:Date\\.now|Math\\.random|${word("set", "Timeout")}|${word("set", "Interval")}|${word("set", "Immediate")})\\b\\s*\\(`,
    ),
    why: `take a Clock: only ${CLOCK} may`,
    where: /^(src|scripts)\/.*\.ts$/,
  },
  {
    pattern: /node:timers/,
    why: `take a Clock: only ${CLOCK} may`,
    where: /^(src|scripts)\/.*\.ts$/,
  },
  {
    pattern: new RegExp(
      [word("\\.\\./", "shared\\b"), word("(?<![\\w.~-])/wo", "rk/"), word("\\bfar", "m-\\w")].join(
        "|",
      ),
    ),
    why: "names a place that no other machine has",
    where: /./,
  },
];

/** Places where `file` has what it must not have. */
export function bannedWords(file: SourceFile): string[] {
  if (file.path === CLOCK) return [];
  return BANNED.filter(({ where }) => where.test(file.path)).flatMap(({ pattern, why }) =>
    linesWith(file, pattern).map((line) => `${line}   (${why})`),
  );
}
