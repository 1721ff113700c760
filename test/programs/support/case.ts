// What a case of the second suite is: data. A program saves something into a mount; what a new mount shows, what the bucket
// showed meanwhile and what it cost in requests must be right.

/** A stretch of a case that ends with everything in the bucket, and whose requests are counted on their own. */
export interface Phase {
  /** Behind the case's name in `requests.json`: `CASE: NAME`. */
  readonly name: string;
  /** A line for `bash -ec`. */
  readonly run: string;
  /** What comes before it: nothing, a new mount, or a new mount on a machine that knows nothing. */
  readonly after: "nothing" | "unmount" | "forget";
  /** Bytes that may be sent; absent: as much as is in the bucket at the end of the phase. */
  readonly bytesMax?: number;
}

/** Contents that may be seen in the bucket beside those that are there at the end. */
export interface Versions {
  readonly key: RegExp;
  /** Why it is not torn. */
  readonly why: string;
  /** `final` is the object at this key at the end, empty where there is none. */
  readonly accepts: (seen: Buffer, final: Buffer) => boolean;
}

export interface ProgramCase {
  /** Unique; its requests are found by it in `requests.json`. */
  readonly name: string;
  /** Programs that must be there, beside those of every Debian machine. */
  readonly needs?: readonly string[];
  /** A line that fills `$SRC`; the mount and the local directory get a copy each. */
  readonly prepare?: string;
  /** A line for `bash -ec` that saves into `$DIR`. */
  readonly save: string;
  /** What follows, each counted on its own. */
  readonly later?: readonly Phase[];
  /** A line that must succeed after a new mount on a machine that knows nothing; `$LOCAL` has the same save. */
  readonly check?: string;
  /** What of a tree must be as in `$LOCAL`: all but times, times of files too, or nothing (`check` does it). */
  readonly compare: "tree" | "tree and times" | "nothing";
  /** What another machine does not know of the modes and times of some files, and why; a new mount of this machine does. */
  readonly forgets?: { readonly path: RegExp; readonly why: string };
  /** Names (below `$DIR`) that are left out of the comparison, since they differ with each run. */
  readonly except?: RegExp;
  /** Beside what is there at the end. A line may also leave whole files in `$CLOSED`: their contents are fine, too. */
  readonly versions?: readonly Versions[];
  /** Bytes sent by `save`, in terms of what is in the bucket then; 1.02 when absent. */
  readonly ratio?: { readonly max: number; readonly why: string };
  /** Why some counts of requests are ranges. */
  readonly timing?: string;
  /** Of the mount; parts are of 1 MiB when absent. */
  readonly mountOptions?: readonly string[];
  /** For each line; a minute when absent. */
  readonly timeoutMs?: number;
}

const PYTHON_CASES = "test/programs/python";

/** A Python file that is called with `save DIR`, and with `check DIR`: see docs/programs.md. */
export function pythonCase(
  file: string,
  more: Partial<Omit<ProgramCase, "save" | "check">> = {},
): ProgramCase {
  const line = (what: string): string => `"$PYTHON" "$TREE/${PYTHON_CASES}/${file}" ${what} "$DIR"`;
  return {
    name: `python ${file.replace(/\.py$/, "")}`,
    compare: "nothing",
    timeoutMs: 240_000,
    ...more,
    save: line("save"),
    check: line("check"),
  };
}

/** An append-only file: each version that was seen is a beginning of the last one. */
export function grows(key: RegExp): Versions {
  return {
    key,
    why: "it grows: what was seen is a beginning of what it became",
    accepts: (seen, final) => final.subarray(0, seen.length).equals(seen),
  };
}
