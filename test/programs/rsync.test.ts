// rsync: temporary names, times and modes after close, changes in place, and again with nothing to do. Parts are of 1 MiB.

import { grows } from "./support/case.ts";
import { runCases } from "./support/run.ts";

const TREE =
  "mkdir -p $SRC/r/d/e; cd $SRC/r; head -c 700000 /dev/urandom > whole; for i in 1 2 3; do echo $i > d/$i; done; seq 1 9999 > d/e/seq; ln -s 1 d/link; chmod 750 d/e; chmod 640 d/2; chmod 600 whole; touch -d '2020-01-02 03:04:05.678901234' whole d/* d/e/*; touch -d 2021-01-02 d/e d .";
const BIG =
  "mkdir $SRC/r; head -c 21000003 /dev/urandom > $SRC/r/big; echo x > $SRC/r/small; touch -d '2020-01-02 03:04:05' $SRC/r/*";
const PATCH =
  "cp $SRC/r/big $CLOSED/former; printf patch | dd of=$SRC/r/big bs=1 seek=9000000 conv=notrunc status=none; touch -d 2022-02-02 $SRC/r/big";
const DIRECTORY = "a directory may be put before its time is set, and then once more";
/** It says what it would do: nothing. */
const nothing = (options: string): string =>
  `said=$(rsync ${options} -i $SRC/r $DIR/); [ -z "$said" ] || { echo "$said" >&2; exit 1; }`;

runCases("rsync", [
  {
    name: "rsync -a",
    needs: ["rsync"],
    prepare: TREE,
    save: "rsync -a $SRC/r $DIR/",
    compare: "tree and times",
    check: nothing("-a"),
    timing: DIRECTORY,
    later: [
      { name: "at once again", run: nothing("-a"), after: "nothing", bytesMax: 0 },
      { name: "after unmount", run: nothing("-a"), after: "unmount", bytesMax: 0 },
      { name: "by another machine", run: nothing("-a"), after: "forget", bytesMax: 0 },
    ],
  },
  {
    name: "rsync -a of a large file",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -a $SRC/r $DIR/",
    compare: "tree and times",
    check: nothing("-a"),
    timing: DIRECTORY,
    later: [
      { name: "at once again", run: nothing("-a"), after: "nothing", bytesMax: 0 },
      { name: "after unmount", run: nothing("-a"), after: "unmount", bytesMax: 0 },
      { name: "by another machine", run: nothing("-a"), after: "forget", bytesMax: 0 },
    ],
  },
  {
    name: "rsync -a of a file that has changed",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -a $SRC/r $DIR/",
    compare: "tree and times",
    timing: DIRECTORY,
    later: [
      {
        name: "changed",
        run: `${PATCH}; rsync -a $SRC/r $DIR/`,
        after: "unmount",
        bytesMax: 1 << 20,
      },
    ],
  },
  {
    name: "rsync -aS",
    needs: ["rsync"],
    prepare:
      "mkdir $SRC/r; truncate -s 21000003 $SRC/r/holes; printf mid | dd of=$SRC/r/holes bs=1 seek=9000000 conv=notrunc status=none; touch -d 2020-01-02 $SRC/r/holes",
    save: "rsync -aS $SRC/r $DIR/",
    compare: "tree and times",
    timing: DIRECTORY,
  },
  {
    name: "rsync --inplace",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -rt --inplace $SRC/r $DIR/",
    compare: "tree and times",
    forgets: { path: /(big|small)$/, why: "in place they are set after the close (S6.1)" },
    timing: DIRECTORY,
    later: [
      {
        name: "changed",
        run: `${PATCH}; rsync -rt --inplace --no-whole-file $SRC/r $DIR/`,
        after: "unmount",
        bytesMax: 1 << 20,
      },
    ],
  },
  {
    name: "rsync --append-verify",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -rt $SRC/r $DIR/",
    compare: "tree",
    timing: DIRECTORY,
    versions: [grows(/big$/)],
    later: [
      {
        name: "longer",
        run: "[ -e $WORK/more ] || head -c 3000000 /dev/urandom > $WORK/more; cat $WORK/more >> $SRC/r/big; rsync -rt --append-verify $SRC/r $DIR/",
        after: "unmount",
        bytesMax: 4 << 20,
      },
    ],
  },
  {
    name: "rsync --partial, ended in between",
    needs: ["rsync"],
    prepare: BIG,
    save: "timeout -s INT 1.5 rsync -a --partial --timeout=30 --bwlimit=4M $SRC/r $DIR/ || true; rsync -a --partial --timeout=30 $SRC/r $DIR/",
    compare: "tree and times",
    versions: [grows(/big$/)],
    ratio: {
      max: 2,
      why: "rsync keeps the part that it had as the file itself, and sends by a new one",
    },
    timing: "how far rsync came when it was ended",
  },
  {
    name: "rsync --delay-updates",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -a --delay-updates $SRC/r $DIR/",
    compare: "tree and times",
    timing:
      "a directory may be put before its time is set, and then once more; rsync's own may be put or not",
  },
  {
    name: "rsync --delete",
    needs: ["rsync"],
    prepare: TREE,
    save: "rsync -a $SRC/r $DIR/",
    compare: "tree and times",
    timing: DIRECTORY,
    later: [
      {
        name: "gone",
        run: "cp $SRC/r/d/e/seq $SRC/r/d/2 $CLOSED/; rm -r $SRC/r/d/e $SRC/r/d/2; touch -d 2021-01-02 $SRC/r/d; rsync -a --delete $SRC/r $DIR/",
        after: "unmount",
        bytesMax: 0,
      },
    ],
  },
  {
    name: "rsync -c",
    needs: ["rsync"],
    prepare: BIG,
    save: "rsync -rtc $SRC/r $DIR/",
    compare: "tree",
    timing: DIRECTORY,
    later: [{ name: "again", run: nothing("-rtc"), after: "forget", bytesMax: 0 }],
  },
]);
