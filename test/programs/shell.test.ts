// Redirections, loops and pipes of bash, locks, and editors that replace a file or write it in place.

import { grows } from "./support/case.ts";
import { runCases } from "./support/run.ts";

const COALESCED = "what is closed again and again is sent about once a second";

runCases("shell", [
  {
    name: "redirection of a loop, a subshell and a pipe",
    save: "for i in $(seq 1 50); do echo $i; done > $DIR/loop; ( echo a; echo b; /bin/echo c ) > $DIR/sub; seq 1 100 | cat > $DIR/pipe; { seq 5; /bin/echo x; } > $DIR/group; : > $DIR/empty",
    compare: "tree",
  },
  {
    name: "a loop that appends",
    save: "for i in $(seq 1 50); do echo line $i >> $DIR/log; done",
    compare: "tree",
    versions: [grows(/^log$/)],
    ratio: { max: 8, why: "it is sent about once a second, each time as long as it is then" },
    timing: COALESCED,
  },
  {
    name: "an append to a large file",
    prepare: "head -c 21000003 /dev/urandom > $SRC/big",
    save: "cp $SRC/big $DIR/log",
    compare: "tree",
    later: [{ name: "a line", run: "echo more >> $DIR/log", after: "unmount", bytesMax: 1 << 20 }],
    versions: [grows(/^log$/)],
  },
  {
    name: "a log that is held open by a process",
    save: "exec 7>> $DIR/log; for i in $(seq 1 20); do echo line $i >&7; /bin/echo child $i >&7; done; exec 7>&-",
    compare: "tree",
    versions: [grows(/^log$/)],
  },
  {
    name: "cat over a file, and a file over itself",
    save: "seq 1 1000 > $DIR/a; cat $DIR/a > $DIR/b; sort -r -o $DIR/a $DIR/a; head -3 $DIR/a > $DIR/c",
    compare: "tree",
    versions: [{ key: /^a$/, why: "as seq closed it", accepts: (seen) => seen.length === 3893 }],
    ratio: { max: 3, why: "what is sent before it changes again is sent again" },
    timing: COALESCED,
  },
  {
    name: "flock",
    save: "for i in 1 2 3 4; do flock $DIR/lock bash -c 'n=$(cat $DIR/count 2>/dev/null || echo 0); echo $((n + 1)) > $DIR/count' & done; wait; exec 8> $DIR/lock; flock -n 8; ! flock -n $DIR/lock true",
    compare: "tree",
    versions: [
      { key: /^count$/, why: "each was closed", accepts: (seen) => /^[1-4]\n$/.test(`${seen}`) },
    ],
    ratio: { max: 4, why: "what is sent before it changes again is sent again" },
    timing: COALESCED,
  },
  {
    name: "sed -i",
    save: "seq 1 1000 > $DIR/file; chmod 640 $DIR/file",
    compare: "tree",
    later: [
      {
        name: "in place",
        run: "cp $LOCAL/file $CLOSED/former-$RANDOM; sed -i s/9/nine/ $DIR/file; cp $LOCAL/file $CLOSED/later-$RANDOM",
        after: "unmount",
      },
    ],
    timing:
      "sed's temporary file may be put before it is renamed; then that costs a copy and a delete",
  },
  {
    name: "vim",
    needs: ["vim"],
    save: "vim -es -u NONE -c 'normal iHello' -c 'wq' $DIR/new.txt < /dev/null",
    compare: "tree",
    later: [
      {
        name: "again",
        run: "cp $LOCAL/new.txt $CLOSED/$RANDOM; vim -es -u NONE -c 'normal oWorld' -c 'wq' $DIR/new.txt < /dev/null; cp $LOCAL/new.txt $CLOSED/$RANDOM",
        after: "unmount",
      },
    ],
    timing:
      "the swap file is made and removed empty before it is used, and may have been put in between",
  },
]);
