// git: many small files, locks that are renamed, packs, links.

import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import type { Versions } from "./support/case.ts";
import { runCases } from "./support/run.ts";

const SETTINGS =
  "git config --global user.name x; git config --global user.email x@y; git config --global gc.auto 0; git config --global init.defaultBranch main; git config --global --add safe.directory '*'; export GIT_AUTHOR_DATE='2020-01-02T03:04:05Z' GIT_COMMITTER_DATE='2020-01-02T03:04:05Z'";
const REPOSITORY = `${SETTINGS}; git init -q $SRC/r; cd $SRC/r; for i in $(seq 1 20); do echo $i > f$i; done; head -c 3000000 /dev/urandom > big; ln -s f1 link; git add .; git commit -qm one; for i in 1 2 3; do echo more >> f$i; git commit -qam more-$i; done`;
const TIMING =
  "what is not published yet is renamed or removed for nothing, what is costs a copy and a delete";
/** What git writes again and again is whole each time that it was seen. */
const versions: readonly Versions[] = [
  { key: /\/objects\/..\/|tmp_obj/, why: "an object, as it says of itself", accepts: isObject },
  {
    key: /\.(pack|idx|rev|graph)$|tmp_(pack|idx|rev)|\/index(\.lock)?$/,
    why: "it ends with the hash of what is before",
    accepts: endsWithItsHash,
  },
  {
    key: /\.git\/(?!objects\/|index)|\/f\d+$/,
    why: "text, as it was closed: whole lines",
    accepts: (seen) => /^[ -~\t\n]*\n$/.test(seen.toString()),
  },
  {
    key: /\.keep$|\/gc\.pid(\.lock)?$/,
    why: "who holds it, as it was closed",
    accepts: (seen) => /^(fetch-pack )?\d+ [ -~]+\n?$/.test(seen.toString()),
  },
  {
    key: /\.git\/t\w{6}$/,
    why: "a link by which git finds out whether there are links",
    accepts: (seen) => seen.toString() === "testing",
  },
];

function isObject(seen: Buffer): boolean {
  const object = inflateSync(seen);
  const head = object.subarray(0, object.indexOf(0)).toString();
  return Number(head.split(" ")[1]) === object.length - head.length - 1;
}

function endsWithItsHash(seen: Buffer): boolean {
  return createHash("sha1").update(seen.subarray(0, -20)).digest().equals(seen.subarray(-20));
}

runCases("git", [
  {
    name: "git init, add and commit",
    needs: ["git"],
    prepare: "mkdir $SRC/files; for i in $(seq 1 20); do echo $i > $SRC/files/f$i; done",
    save: `${SETTINGS}; git init -q $DIR/r; cd $DIR/r; cp $SRC/files/* .; git add .; git commit -qm one; echo more >> f1; git commit -qam two`,
    compare: "nothing",
    check:
      'cd $DIR/r; git fsck --strict; [ $(git log --oneline | wc -l) = 2 ]; [ -z "$(git --no-optional-locks status --porcelain)" ]',
    timing: TIMING,
    ratio: { max: 4, why: "files of a lock are written anew at each step" },
    versions,
    timeoutMs: 120_000,
  },
  {
    name: "git clone and gc",
    needs: ["git"],
    prepare: REPOSITORY,
    save: "git clone -q --no-local $SRC/r $DIR/r",
    compare: "nothing",
    check:
      'cd $DIR/r; git fsck --strict; [ $(git log --oneline | wc -l) = 4 ]; [ -z "$(git --no-optional-locks status --porcelain)" ]; cmp big $SRC/r/big',
    timing: TIMING,
    ratio: { max: 1.1, why: "indexes and references are written again" },
    later: [{ name: "gc", run: "cd $DIR/r; git gc -q --prune=now", after: "unmount" }],
    versions,
    timeoutMs: 120_000,
  },
]);
