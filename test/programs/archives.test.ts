// Archives and compressors, which write them into the mount, unpack them there, or work in place. Parts are of 1 MiB.

import { runCases } from "./support/run.ts";

const TREE =
  "mkdir $SRC/t; cd $SRC/t; for i in $(seq 1 30); do mkdir -p d$((i%3)); echo $i > d$((i%3))/f$i; done; head -c 3000000 /dev/urandom > big; chmod 600 d0/f3; chmod 700 d1; ln -s f3 d0/link; touch -d '2020-01-02 03:04:05' big d*/f*; touch -d 2021-01-02 d* .";
const BIG = "mkdir $SRC/t; head -c 21000003 /dev/urandom > $SRC/t/big; seq 1 9999 > $SRC/t/seq";
const BEGUN = { path: /(big|file.zst)$/, why: "the upload had begun when they were set (S6.1)" };
const DIRECTORY = "a directory may be put before its mode and time are set, and then once more";

runCases("archives", [
  {
    name: "tar x",
    prepare: `${TREE}; tar cf $SRC/t.tar -C $SRC t`,
    save: "tar xf $SRC/t.tar -C $DIR",
    forgets: BEGUN,
    compare: "tree and times",
    timing: DIRECTORY,
  },
  {
    name: "tar c and r",
    prepare: BIG,
    save: "tar cf $DIR/t.tar -C $SRC t",
    compare: "tree",
    later: [
      {
        name: "r",
        run: "cp $DIR/t.tar $CLOSED/1-$RANDOM; echo more > $SRC/more; touch -d 2020-01-02 $SRC/more; tar rf $DIR/t.tar -C $SRC more",
        after: "unmount",
        bytesMax: 1 << 20,
      },
    ],
  },
  {
    name: "tar cz",
    prepare: BIG,
    save: "tar czf $DIR/t.tgz -C $SRC t; tar c -C $SRC t | zstd -q -o $DIR/t.zst",
    compare: "nothing",
    check:
      "for t in t.tgz t.zst; do mkdir $WORK/$t; tar xf $DIR/$t -C $WORK/$t; diff -r $SRC/t $WORK/$t/t; done",
  },
  {
    name: "zip",
    needs: ["zip", "unzip"],
    prepare: BIG,
    save: "cd $SRC; zip -qr $DIR/t.zip t",
    timing: "zip makes its target and removes it: it may be put in between",
    compare: "nothing",
    check: "unzip -q $DIR/t.zip -d $WORK/out; diff -r $SRC/t $WORK/out/t",
  },
  {
    name: "zip of one large file",
    needs: ["zip", "unzip"],
    prepare: BIG,
    save: "cd $SRC/t; zip -q $DIR/t.zip big",
    timing: "zip makes its target and removes it: it may be put in between",
    compare: "nothing",
    check: "unzip -q $DIR/t.zip -d $WORK/out; cmp $SRC/t/big $WORK/out/big",
  },
  {
    name: "unzip",
    needs: ["zip", "unzip"],
    prepare: `${TREE}; cd $SRC; zip -qry t.zip t`,
    save: "unzip -q $SRC/t.zip -d $DIR",
    forgets: BEGUN,
    compare: "tree and times",
    timing: `${DIRECTORY}; a link is a file first`,
    ratio: { max: 1.1, why: "a link is a file first" },
  },
  {
    name: "gzip and gunzip in place",
    prepare: "head -c 3000000 /dev/urandom > $SRC/file; touch -d 2020-01-02 $SRC/file",
    save: "cp -p $SRC/file $DIR/file; cp $SRC/file $CLOSED/",
    compare: "tree",
    later: [
      { name: "gzip", run: "gzip $DIR/file; cp $DIR/file.gz $CLOSED/$RANDOM.gz", after: "nothing" },
      { name: "gunzip", run: "gunzip $DIR/file.gz", after: "unmount" },
    ],
  },
  {
    name: "zstd",
    needs: ["zstd"],
    prepare: "head -c 21000003 /dev/urandom > $SRC/file; touch -d 2020-01-02 $SRC/file",
    save: "zstd -q $SRC/file -o $DIR/file.zst",
    compare: "tree and times",
    forgets: BEGUN,
    check: "zstd -qdc $DIR/file.zst | cmp - $SRC/file",
  },
]);
