// Programs of coreutils and redirections of the shell.

import { runCases } from "./support/run.ts";

const BIG = "head -c 21000003 /dev/urandom > $SRC/big";

runCases("coreutils", [
  {
    name: "cp of a small and a large file",
    prepare: `${BIG}; head -c 1000 /dev/urandom > $SRC/small; : > $SRC/empty`,
    save: "cp $SRC/small $SRC/big $SRC/empty $DIR/",
    compare: "tree",
  },
]);
