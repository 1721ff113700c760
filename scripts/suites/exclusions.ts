// What kodomount is not asked for, each with its reason: written by hand, shown in docs/posix.md. A case that fails for
// another reason does not belong here; one that is excluded and passes all the same is reported, so that the list stays true.

import type { Case, SuiteName } from "./types.ts";

export interface Exclusion {
  readonly suite: SuiteName;
  /** Of the case's name. */
  readonly pattern: RegExp;
  readonly what: string;
  readonly why: string;
}

const HARD_LINK =
  'An object has one key. Two names for one object would have to be kept outside the bucket, where no other client sees them: `link` is `EPERM`, which programs know from FAT and take as "copy instead".';

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    suite: "pjdfstest",
    pattern: /::(block|char)$|^mknod::(device_files|privileged)/,
    what: "device nodes",
    why: "A device number means nothing on the machine that reads the bucket next; the mount is `nodev` anyway.",
  },
  {
    suite: "pjdfstest",
    pattern:
      /^link::(?!enoent|enametoolong|enotdir|eloop|efault|erofs|eexist|exdev)|^unlink::(update_ctime_success|unchanged_ctime_failed)::|^rename::(preserve_metadata|to_multiply_linked)::/,
    what: "hard links (cases that begin by making one)",
    why: HARD_LINK,
  },
  {
    suite: "pjdfstest",
    pattern: /^rename::updates_link_parent$/,
    what: "the link count of a directory",
    why: "It would be the number of directories in it, so each `stat` of a directory would cost a listing. It is 1, which says as on btrfs that nobody counts.",
  },
  {
    suite: "pjdfstest",
    pattern: /::enametoolong_path$/,
    what: "paths of 4,095 bytes",
    why: "S3 keys have at most 1,024 bytes. The case first makes a path of 4,095; that longer ones are refused is true.",
  },
];

export function exclusionOf(suite: SuiteName, name: string): Exclusion | undefined {
  return EXCLUSIONS.find((entry) => entry.suite === suite && entry.pattern.test(name));
}

export interface Judged {
  readonly passed: readonly Case[];
  readonly failed: readonly Case[];
  readonly skipped: readonly Case[];
  /** Failed, and excluded. */
  readonly excluded: readonly { readonly case: Case; readonly exclusion: Exclusion }[];
}

/** Sorts cases: an exclusion covers a case that fails, not one that passes. */
export function judge(suite: SuiteName, cases: readonly Case[]): Judged {
  const failed: Case[] = [];
  const excluded: { case: Case; exclusion: Exclusion }[] = [];
  for (const each of cases.filter(({ outcome }) => outcome === "failed")) {
    const exclusion = exclusionOf(suite, each.name);
    if (exclusion === undefined) failed.push(each);
    else excluded.push({ case: each, exclusion });
  }
  const only = (outcome: Case["outcome"]): Case[] =>
    cases.filter((each) => each.outcome === outcome);
  return { passed: only("passed"), failed, skipped: only("skipped"), excluded };
}
