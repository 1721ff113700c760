// Names that are certainly temporary: a file is never published under one, it waits for its rename. Where the name says
// what it will be renamed to, its parts go out to that key at once.

import { KodomountError } from "../base/mod.ts";
import { type Key, toKey } from "./ids.ts";
import { isDirectoryKey, isName } from "./names.ts";

/** A file under a held name. `final`: the key that it will have after its rename, where the name tells. */
export interface Held {
  readonly final?: Key;
}

interface HoldRule {
  /** Of one name in the path. Its first group, if it has one, is the name after the rename; `""`: that directory goes. */
  readonly name: RegExp;
  /** Only for a file that was made as mkstemp(3) makes it: people use such names too. */
  readonly madePrivate: boolean;
}

/** The exact list (rsync 3.x `receiver.c` and `util1.c`; the crate `tempfile`, as in safetensors >= 0.8). */
const BUILT_IN: readonly HoldRule[] = [
  { name: /^\.(.+)\.[A-Za-z0-9]{6}$/, madePrivate: true },
  { name: /^\.tmp[A-Za-z0-9]{6}$/, madePrivate: true },
  // rsync --delay-updates puts the finished files into this directory, and moves them up at its end.
  { name: /^\.~tmp~()$/, madePrivate: false },
];

export class HeldNames {
  readonly #rules: readonly HoldRule[];

  /**
   * @param patterns of names that are held beside the built-in ones, with `*` and `?`; `*SUFFIX` also says that the rename
   *   takes the suffix away. A directory of such a name holds everything in it.
   * @throws `Config` for a pattern that is no name, or would hold everything.
   */
  constructor(patterns: readonly string[] = []) {
    this.#rules = [...BUILT_IN, ...patterns.map(toRule)];
  }

  /**
   * Whether a file at `key` is held.
   * @param madePrivate it was just created with O_EXCL, for reading and writing, mode 0600.
   */
  find(key: Key, madePrivate = false): Held | undefined {
    const names = key.split("/");
    const last = names.length - 1;
    let isHeld = false;
    const final: (string | undefined)[] = names.map((name, index) => {
      const rule = this.#rules.find(
        (each) => each.name.test(name) && (!each.madePrivate || (madePrivate && index === last)),
      );
      if (rule === undefined) return name;
      isHeld = true;
      return rule.name.exec(name)?.[1];
    });
    if (!isHeld) return undefined;
    if (isDirectoryKey(key) || !final.every((name) => name === "" || isKnownName(name))) return {};
    return { final: toKey(final.filter((name) => name !== "").join("/")) };
  }
}

function isKnownName(name: string | undefined): boolean {
  return name !== undefined && isName(name);
}

function toRule(pattern: string): HoldRule {
  if (!isName(pattern) || /^[*?]+$/.test(pattern))
    throw new KodomountError(
      "Config",
      `'--hold' must be a pattern for names such as '*.tmp': received ${JSON.stringify(pattern)}`,
    );
  const suffix = /^\*([^*?]+)$/.exec(pattern)?.[1];
  const name =
    suffix === undefined
      ? quote(pattern).replaceAll("*", ".*").replaceAll("?", ".")
      : `(.+)${quote(suffix)}`;
  return { name: new RegExp(`^${name}$`, "su"), madePrivate: false };
}

function quote(text: string): string {
  return text.replaceAll(/[\\^$.+()[\]{}|/]/gu, "\\$&");
}
