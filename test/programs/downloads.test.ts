// Programs that download into the mount, also on from where a connection broke. Parts are of 1 MiB.

import { grows } from "./support/case.ts";
import { runCases } from "./support/run.ts";

const FILE = "head -c 21000003 /dev/urandom > $SRC/file; touch -d '2020-01-02 03:04:05' $SRC/file";
const COPIED = "the part at which it was cut is fetched and sent again";

runCases("downloads", [
  {
    name: "curl",
    needs: ["curl"],
    prepare: FILE,
    save: "curl -sSf -o $DIR/file $URL/file; curl -sSfR -o $DIR/dated $URL/file",
    compare: "tree",
  },
  {
    name: "curl -C -",
    needs: ["curl"],
    prepare: FILE,
    save: "! curl -sf -o $DIR/file $URL/file?cut=9000000",
    compare: "tree",
    versions: [grows(/^file$/)],
    later: [
      {
        name: "the rest",
        run: "curl -sSf -C - -o $DIR/file $URL/file",
        after: "unmount",
        bytesMax: 21_000_003 - 8 * (1 << 20),
      },
    ],
    timing: COPIED,
  },
  {
    name: "wget",
    needs: ["wget"],
    prepare: FILE,
    save: "wget -q -P $DIR $URL/file; wget -q -O $DIR/named $URL/file",
    compare: "tree",
  },
  {
    name: "wget -c",
    needs: ["wget"],
    prepare: FILE,
    save: "! wget -q --tries=1 -O $DIR/file $URL/file?cut=9000000",
    compare: "tree",
    versions: [grows(/^file$/)],
    later: [
      {
        name: "the rest",
        run: "wget -q -c -P $DIR $URL/file",
        after: "unmount",
        bytesMax: 21_000_003 - 8 * (1 << 20),
      },
    ],
    timing: COPIED,
  },
  ...["prealloc", "falloc", "trunc", "none"].map((way) => ({
    name: `aria2c --file-allocation=${way}`,
    needs: ["aria2c"],
    prepare: FILE,
    save: `aria2c -q --file-allocation=${way} -x 4 -s 4 -k 1M -d $DIR $URL/file`,
    compare: "tree" as const,
    ratio: {
      max: 2,
      why: "four connections write at four places: a part may be left and come back to",
    },
    timing: "which part is full when, and the control file lives for the time of the download only",
    versions: [
      {
        key: /\.aria2/,
        why: "the control file as aria2 had closed it: its head has version and flags",
        accepts: (seen: Buffer): boolean => seen.readUInt16BE(0) <= 1,
      },
    ],
  })),
]);
