// The words of the suites: what runs (a suite), on what (a target), and what came of it (cases).

export const SUITE_NAMES = ["pjdfstest", "fsx", "fio", "stress-ng"] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

export const TARGET_NAMES = ["kodomount", "s3fs", "rclone", "dir"] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

export interface Case {
  readonly name: string;
  /** `skipped`: the suite itself did not run it. What we leave out on purpose is in `exclusions.ts`. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped, in the suite's own words. */
  readonly detail?: string;
}

export interface SuiteResult {
  readonly suite: SuiteName;
  readonly target: TargetName;
  /** The suite with its version. */
  readonly tool: string;
  /** The target with its version and options. */
  readonly what: string;
  readonly store: string;
  /** As `--only` was given: other cases were not asked for. */
  readonly only?: string | undefined;
  readonly cases: readonly Case[];
}

/** A directory that suites work in, and what is behind it. Its end removes everything. */
export interface Target extends AsyncDisposable {
  readonly name: TargetName;
  readonly what: string;
  readonly dir: string;
  /** Unmounts, waits until everything is in the store, mounts with nothing kept on this machine. */
  remount(): Promise<void>;
  /** Whether it still answers. */
  isAlive(): Promise<boolean>;
  /** Ends the mount under those who hang in it; the next `remount` makes a new one. */
  kill(): Promise<void>;
}

export interface Context {
  readonly target: Target;
  /** Outside the target: configurations and logs of the suite. */
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** Only cases whose name contains it. */
  readonly only: string | undefined;
}

export interface Suite {
  readonly name: SuiteName;
  /** Installs what it needs. @throws `Missing` where that is not possible here. */
  prepare(signal: AbortSignal): Promise<string>;
  run(context: Context): Promise<Case[]>;
}

/** Something that this machine does not have: the suite is skipped, with the message as the reason. */
export class Missing extends Error {
  override name = "Missing";
}
