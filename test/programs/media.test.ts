// ffmpeg, whose formats patch their head at the end, and which writes a whole file again for +faststart; and sqlite3, which
// writes pages in any order and locks ranges. Parts are of 1 MiB.

import type { Versions } from "./support/case.ts";
import { runCases } from "./support/run.ts";

const PICTURES =
  "ffmpeg -v error -f lavfi -i testsrc2=duration=4:size=640x480:rate=25,noise=alls=40:all_seed=1";
const NOISE = "ffmpeg -v error -f lavfi -i anoisesrc=duration=30:sample_rate=44100:seed=1";
const CODEC = "-c:v mpeg4 -qscale:v 1 -bitexact -fflags +bitexact -threads 1";
const ROWS =
  "create table if not exists t(i integer primary key, x blob); with recursive c(i) as (select 1 union all select i+1 from c where i < 200) insert into t(x) select zeroblob(20000) from c; update t set x = randomblob(100) where i % 10 = 0;";
const SQLITE = "the journal lives for a moment only, and may have been put in it";
const SQLITE_VERSIONS: readonly Versions[] = [
  {
    key: /^db$/,
    why: "a whole database, as sqlite had closed it: its head says how many pages it has",
    accepts: (seen) =>
      seen.subarray(0, 15).toString() === "SQLite format 3" &&
      seen.readUInt16BE(16) * seen.readUInt32BE(28) === seen.length,
  },
  {
    key: /^db-(journal|wal)$/,
    why: "a log as sqlite had closed it, with its head",
    accepts: (seen) => [0xd9d505f9, 0x377f0682, 0x377f0683].includes(seen.readUInt32BE(0)),
  },
];

/** Decodes it all, from a new mount. */
const decodes = (file: string): string =>
  `ffmpeg -v error -i $DIR/${file} -f null - 2>&1 | tee $WORK/said; [ ! -s $WORK/said ]`;

runCases("media", [
  ...["mkv", "ts", "mp4"].map((kind) => ({
    name: `ffmpeg to ${kind}`,
    needs: ["ffmpeg"],
    save: `${PICTURES} ${CODEC} $DIR/v.${kind}`,
    compare: "tree" as const,
    check: decodes(`v.${kind}`),
  })),
  {
    name: "ffmpeg to mp4 with +faststart",
    needs: ["ffmpeg"],
    save: `${PICTURES} ${CODEC} -movflags +faststart $DIR/v.mp4`,
    compare: "tree",
    check: decodes("v.mp4"),
    ratio: { max: 2.1, why: "it is written twice, by ffmpeg itself" },
    timing: "how many parts were full and sent when it was written again",
  },
  {
    name: "ffmpeg to wav",
    needs: ["ffmpeg"],
    save: `${NOISE} -bitexact $DIR/a.wav`,
    compare: "tree",
    check: decodes("a.wav"),
  },
  ...["delete", "wal"].map((mode) => ({
    name: `sqlite3 with journal_mode=${mode}`,
    needs: ["sqlite3"],
    save: `sqlite3 $DIR/db 'pragma journal_mode=${mode}; ${ROWS}' > /dev/null`,
    compare: "nothing" as const,
    check: `cp $DIR/db* $WORK/; [ "$(sqlite3 $WORK/db 'pragma integrity_check; select count(*) from t' | tr '\\n' ' ')" = "ok 200 " ]`,
    later: [
      {
        name: "a row",
        run: "sqlite3 $DIR/db 'insert into t(x) values (1); delete from t where i > 200'",
        after: "unmount" as const,
      },
    ],
    ratio: {
      max: 3,
      why: "pages are written again after their part was sent, and the log is closed before it is removed",
    },
    timing: SQLITE,
    versions: SQLITE_VERSIONS,
  })),
]);
