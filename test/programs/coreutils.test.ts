// Programs of coreutils: copies, moves, installs, pieces and cuts. Parts are of 1 MiB: `big` has 21 of them.

import { runCases } from "./support/run.ts";

const BEGUN = { path: /^big$/, why: "its upload had begun when cp set them (S6.1)" };
const BIG = "head -c 21000003 /dev/urandom > $SRC/big";

runCases("coreutils", [
  {
    name: "cp of a small and a large file",
    prepare: `${BIG}; head -c 1000 /dev/urandom > $SRC/small; : > $SRC/empty`,
    save: "cp $SRC/small $SRC/big $SRC/empty $DIR/",
    compare: "tree",
  },
  {
    name: "cp of a file over its predecessor",
    prepare: BIG,
    save: "cp $SRC/big $DIR/big",
    compare: "tree",
    later: [
      { name: "the same", run: "cp $SRC/big $DIR/big", after: "nothing", bytesMax: 0 },
      {
        name: "one part changed",
        run: "cp $SRC/big $CLOSED/former; printf X | dd of=$SRC/big bs=1 seek=9000000 conv=notrunc status=none; cp $SRC/big $DIR/big",
        after: "unmount",
        bytesMax: 1 << 20,
      },
    ],
  },
  {
    name: "cp -a of a tree",
    prepare:
      "mkdir -p $SRC/d/e; cd $SRC/d; echo a > a; echo b > e/b; chmod 600 a; chmod 755 e/b; chmod 750 e; ln -s e/b link; touch -d '2020-01-02 03:04:05.678901234' a e/b; touch -d '2021-01-02' e .",
    save: "cp -a $SRC/d $DIR/",
    compare: "tree and times",
    timing: "a directory may be put before its mode and time are set, and then once more",
  },
  {
    name: "cp -a of a large file",
    prepare: `${BIG}; chmod 640 $SRC/big; touch -d '2020-01-02 03:04:05.678901234' $SRC/big`,
    save: "cp -a $SRC/big $DIR/",
    compare: "tree and times",
    forgets: BEGUN,
  },
  {
    name: "cp --sparse=always",
    prepare:
      "truncate -s 21000003 $SRC/holes; printf middle | dd of=$SRC/holes bs=1 seek=9000000 conv=notrunc status=none",
    save: "cp --sparse=always $SRC/holes $DIR/holes",
    compare: "tree",
  },
  {
    name: "cp within the mount",
    prepare: `${BIG}; echo small > $SRC/small`,
    save: "cp $SRC/big $SRC/small $DIR/",
    compare: "tree",
    later: [
      {
        name: "the copy",
        run: "cp $DIR/big $DIR/copy; cp $DIR/small $DIR/small-copy",
        after: "unmount",
        bytesMax: 1000,
      },
    ],
  },
  {
    name: "mv into the mount, within it and out of it",
    prepare: `${BIG}; echo 1 > $SRC/one`,
    save: "mkdir $DIR/a; mv $SRC/big $SRC/one $DIR/a/",
    compare: "tree",
    later: [
      { name: "files", run: "mv $DIR/a/one $DIR/a/1; mv $DIR/a/big $DIR/big", after: "nothing" },
      { name: "a directory", run: "mv $DIR/a $DIR/b", after: "nothing" },
      {
        name: "out",
        run: "mv $DIR/big $SRC/back; cp $SRC/back $CLOSED/big",
        after: "nothing",
      },
    ],
  },
  {
    name: "mv of what was just closed",
    save: "for i in 1 2 3 4 5; do echo $i > $DIR/new; mv $DIR/new $DIR/file; done",
    compare: "tree",
    versions: [
      {
        key: /^(new|file)$/,
        why: "each was closed",
        accepts: (seen) => /^[1-5]\n$/.test(`${seen}`),
      },
    ],
    timing: "what is not published yet is moved for nothing, what is costs a copy and a delete",
    ratio: { max: 5, why: "what is sent before it changes again is sent again" },
  },
  {
    name: "install -m",
    prepare: "head -c 5000 /dev/urandom > $SRC/tool",
    save: "install -m 750 $SRC/tool $DIR/tool; install -d -m 700 $DIR/dir",
    compare: "tree",
    timing: "a directory may be put before its mode is set, and then once more",
  },
  {
    name: "dd with seek, notrunc and fsync",
    save: "dd if=/dev/zero of=$DIR/x bs=1M count=20 status=none",
    compare: "tree",
    later: [
      {
        name: "behind the end",
        run: "cp $LOCAL/x $CLOSED/1; printf tail | dd of=$DIR/x bs=1 seek=20971600 conv=notrunc status=none",
        after: "nothing",
        bytesMax: 1000,
      },
      {
        name: "in the middle, synced",
        run: "cp $LOCAL/x $CLOSED/2; printf mid | dd of=$DIR/x bs=1 seek=9437184 conv=notrunc,fsync status=none; cp $LOCAL/x $CLOSED/3",
        after: "unmount",
        bytesMax: 1 << 20,
      },
    ],
    versions: [
      {
        key: /^x$/,
        why: "zeros: as dd closed it first",
        accepts: (seen) => seen.equals(Buffer.alloc(20 << 20)),
      },
    ],
  },
  {
    name: "dd conv=fsync of a small and of a large file",
    prepare: BIG,
    save: "dd if=$SRC/big of=$DIR/small bs=1000 count=7 conv=fsync status=none; dd if=$SRC/big of=$DIR/big bs=70000 conv=fsync status=none",
    compare: "tree",
  },
  {
    name: "tee and split",
    prepare: BIG,
    save: "tee $DIR/a < $SRC/big > $DIR/b; split -b 6M $SRC/big $DIR/piece.",
    compare: "tree",
  },
  {
    name: "truncate",
    prepare: BIG,
    save: "cp $SRC/big $DIR/big",
    compare: "tree",
    later: [
      {
        name: "shorter",
        run: "cp $SRC/big $CLOSED/1; truncate -s 9000000 $DIR/big",
        after: "nothing",
        bytesMax: 1 << 20,
      },
      {
        name: "longer",
        run: "head -c 9000000 $SRC/big > $CLOSED/2; truncate -s 12000000 $DIR/big",
        after: "unmount",
        bytesMax: 4 << 20,
      },
      {
        name: "to nothing",
        run: "cp $CLOSED/2 $CLOSED/3; truncate -s 12000000 $CLOSED/3; truncate -s 0 $DIR/big",
        after: "nothing",
      },
    ],
  },
  {
    name: "ln -s, readlink and rm",
    save: "mkdir $DIR/d; echo x > $DIR/d/file; ln -s file $DIR/d/link; ln -s d $DIR/dir; ln -s /no/such $DIR/dangling; printf file > $CLOSED/1; printf d > $CLOSED/2",
    compare: "tree",
    later: [
      {
        name: "followed",
        run: '[ "$(readlink $DIR/d/link)" = file ]; [ "$(cat $DIR/dir/link)" = x ]; ! cat $DIR/dangling 2> $WORK/said',
        after: "forget",
      },
      { name: "rm", run: "ln -s x $DIR/d/more; rm $DIR/d/link $DIR/dir", after: "nothing" },
    ],
  },
  {
    name: "chmod, touch and chown of what is in the bucket",
    prepare: BIG,
    save: "cp $SRC/big $DIR/big; echo small > $DIR/small",
    compare: "nothing",
    check: "cmp $SRC/big $DIR/big; cat $DIR/small",
    later: [
      {
        name: "attributes",
        run: "chmod 600 $DIR/big $DIR/small; touch -d 2020-01-02 $DIR/big $DIR/small; chown 1:1 $DIR/big $DIR/small; [ \"$(stat -c '%a %u %Y' $DIR/big)\" = '600 1 1577923200' ]",
        after: "nothing",
        bytesMax: 0,
      },
      {
        name: "after unmount",
        run: "[ \"$(stat -c '%a %u %Y' $DIR/big)\" = '600 1 1577923200' ]",
        after: "unmount",
        bytesMax: 0,
      },
    ],
  },
]);
