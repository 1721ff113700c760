// Names that are certainly temporary: a file is never published under one, it waits for its rename. Where the name says
// what it will be renamed to, its parts go out to that key at once.

import { KodomountError } from "../base/mod.ts";
import { type Key, toKey } from "./ids.ts";
import { namePattern, quote } from "./name-pattern.ts";
import { isDirectoryKey, isName } from "./names.ts";

/** A file under a held name. `final`: the key that it will have after its rename, where the name tells. */
export interface Held {
  readonly final?: Key;
}

interface HoldRule {
  /** Of one name in the path. Its first group, if it has one, is the name after the rename; `""`: that directory goes. */
  readonly name: RegExp;
  /**
   * `private`: only of a file that was made as mkstemp(3) makes it, since people use such names too; `file`: of a file;
   * `any`: of a file or a directory, with everything in it.
   */
  readonly of: "private" | "file" | "any";
}

/**
 * The exact list (rsync 3.x `receiver.c` and `util1.c`; the crate `tempfile`, as in safetensors >= 0.8; huggingface_hub
 * >= 1.0 `file_download.py`; zarr 3 `_local.py`). The last two open their files as any other program, but nobody else
 * gives such names: a hash of git or SHA-256 before 8 random digits, a random UUID without its dashes.
 */
const BUILT_IN: readonly HoldRule[] = [
  { name: /^\.(.+)\.[A-Za-z0-9]{6}$/, of: "private" },
  { name: /^\.tmp[A-Za-z0-9]{6}$/, of: "private" },
  // In a cache it becomes the hash. In a folder of its own (a hash of the path before it) it goes elsewhere.
  { name: /^([0-9a-f]{40}|[0-9a-f]{64})\.[0-9a-f]{8}\.incomplete$/, of: "file" },
  { name: /^[\w=-]{28}\.(?:[0-9a-f]{40}|[0-9a-f]{64})\.[0-9a-f]{8}\.incomplete$/, of: "file" },
  // What was the suffix of the key's last name is lost: `0` may become `0`, or `0.0`, and `zarr` becomes `zarr.json`.
  { name: /^.+\.[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\.partial$/, of: "file" },
  // rsync --delay-updates puts the finished files into this directory, and moves them up at its end.
  { name: /^\.~tmp~()$/, of: "any" },
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
        (each) => each.name.test(name) && isMeant(each, madePrivate, index === last),
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

function isMeant({ of }: HoldRule, madePrivate: boolean, isFile: boolean): boolean {
  return of === "any" || (isFile && (of === "file" || madePrivate));
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
    suffix === undefined ? namePattern(pattern) : new RegExp(`^(.+)${quote(suffix)}$`, "su");
  return { name, of: "any" };
}
