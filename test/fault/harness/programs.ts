// The programs of the scenarios, each as the list of what it does, in sizes that `random` draws. All of them can be run
// again over what they have left.

import { type Operation, writes } from "./operations.ts";
import type { Random } from "./random.ts";

/** Bytes of a part in scenarios without a kernel: many parts of small files. */
export const PART_SIZE: number = 16 * 1024;

/** Bytes of one part and of several, for the mount that a program runs on. */
export interface Sizes {
  readonly part: number;
}

type Program = (random: Random, sizes: Sizes) => Operation[];

const big = (random: Random, { part }: Sizes): number =>
  Math.floor(part * (1.2 + random.next() * 8));
const small = (random: Random, { part }: Sizes): number => random.log(1, Math.min(part, 64 * 1024));
const piece = (random: Random, { part }: Sizes): number =>
  Math.max(512, Math.floor((part * random.log(1, 32)) / 16));

function saved(path: string, version: number, size: number, pieceSize: number): Operation[] {
  return [
    { do: "create", file: "f", path },
    ...writes("f", { name: path, version, size }, pieceSize),
    { do: "close", file: "f" },
  ];
}

const cp: Program = (random, sizes) => saved("cp", 1, big(random, sizes), piece(random, sizes));

/** `dd conv=fsync`. */
const dd: Program = (random, sizes) => {
  const operations = saved("dd", 1, big(random, sizes), piece(random, sizes));
  return [...operations.slice(0, -1), { do: "fsync", file: "f" }, { do: "close", file: "f" }];
};

/** `rsync -a`: each file under a temporary name, then renamed. */
const rsync: Program = (random, sizes) => [
  { do: "mkdir", path: "rsync" },
  ...Array.from({ length: random.int(2, 4) }, (_, index): Operation[] => {
    const [path, held] = [`rsync/f${index}`, `rsync/.f${index}.aB3dE${index}`];
    const size = index % 2 === 0 ? big(random, sizes) : small(random, sizes);
    return [
      { do: "create", file: "f", path: held, private: true },
      ...writes("f", { name: path, version: 1, size }, piece(random, sizes)),
      { do: "close", file: "f" },
      { do: "rename", from: held, to: path },
    ];
  }).flat(),
];

/** `torch.save`: a zip that is written in many small pieces, and whose head is patched at the end. */
const torch: Program = (random, sizes) => {
  const size = big(random, sizes);
  return [
    { do: "create", file: "f", path: "model.pt" },
    ...writes("f", { name: "model.pt", version: 1, size }, Math.max(256, Math.floor(size / 60))),
    { do: "write", file: "f", at: 0, name: "model.pt", version: 2, size: 128 },
    { do: "close", file: "f" },
  ];
};

/** `safetensors.save_file` from 0.8 on: a temporary file of its full size, renamed while it is open. */
const safetensors: Program = (random, sizes) => {
  const size = big(random, sizes);
  return [
    { do: "create", file: "f", path: ".tmpQw3rTy", private: true },
    { do: "truncate", file: "f", size },
    ...writes("f", { name: "safetensors", version: 1, size }, piece(random, sizes)),
    { do: "rename", from: ".tmpQw3rTy", to: "model.safetensors" },
    { do: "close", file: "f" },
  ];
};

const tree: Program = (random, sizes) =>
  Array.from({ length: random.int(2, 3) }, (_, directory): Operation[] => [
    { do: "mkdir", path: `tree${directory}` },
    ...Array.from({ length: random.int(2, 5) }, (__, index) =>
      saved(`tree${directory}/f${index}`, 1, small(random, sizes), sizes.part),
    ).flat(),
  ]).flat();

const overwrite: Program = (random, sizes) => {
  const size = big(random, sizes);
  return [
    ...saved("over", 1, size, piece(random, sizes)),
    ...saved("over", 2, random.pick([size, big(random, sizes), small(random, sizes)]), sizes.part),
    ...saved("over", 3, big(random, sizes), piece(random, sizes)),
  ];
};

/** A large file that is changed in its middle, grown, and cut. */
const patch: Program = (random, sizes) => {
  const size = big(random, sizes) + sizes.part;
  const at = random.int(0, size - 600);
  return [
    ...saved("patch", 1, size, piece(random, sizes)),
    { do: "open", file: "f", path: "patch" },
    { do: "write", file: "f", at, name: "patch", version: 2, size: 500 },
    { do: "write", file: "f", at: size, name: "patch", version: 3, size: small(random, sizes) },
    { do: "close", file: "f" },
    { do: "open", file: "f", path: "patch" },
    { do: "truncate", file: "f", size: random.int(sizes.part + 1, size) },
    { do: "close", file: "f" },
  ];
};

const rename: Program = (random, sizes) => [
  ...saved("a", 1, big(random, sizes), piece(random, sizes)),
  { do: "rename", from: "a", to: "b" },
  ...saved("c", 2, small(random, sizes), sizes.part),
  { do: "rename", from: "c", to: "d" },
  ...saved("e", 3, big(random, sizes), piece(random, sizes)),
  { do: "rename", from: "e", to: "b" },
  { do: "rename", from: "b", to: "last" },
];

const renameDirectory: Program = (random, sizes) => [
  { do: "mkdir", path: "from" },
  ...saved("from/small", 1, small(random, sizes), sizes.part),
  ...saved("from/big", 1, big(random, sizes), piece(random, sizes)),
  { do: "mkdir", path: "from/below" },
  ...saved("from/below/small", 1, small(random, sizes), sizes.part),
  { do: "rename", from: "from", to: "to" },
  ...saved("to/after", 2, small(random, sizes), sizes.part),
];

/** A log: opened for append for each of some records, then kept open with an fsync in between. */
const append: Program = (random, sizes) => {
  const size = random.log(100, sizes.part);
  const record = (index: number): Operation => ({
    ...{ do: "write", file: "f", at: index * size, name: "log", version: 1, size },
  });
  const rounds = Array.from({ length: random.int(2, 5) }, (_, index): Operation[] => [
    index === 0
      ? { do: "create", file: "f", path: "log" }
      : { do: "open", file: "f", path: "log", append: true },
    record(index),
    { do: "close", file: "f" },
  ]);
  const from = rounds.length;
  return [
    ...rounds.flat(),
    { do: "open", file: "f", path: "log", append: true },
    record(from),
    { do: "fsync", file: "f" },
    record(from + 1),
    record(from + 2),
    { do: "close", file: "f" },
  ];
};

/** A checkpoint of several files, with the ones that name it written last. */
const checkpoint: Program = (random, sizes) =>
  [1, 2].flatMap((version): Operation[] => [
    { do: "mkdir", path: `step${version}` },
    ...saved(`step${version}/shard0`, version, big(random, sizes), piece(random, sizes)),
    ...saved(`step${version}/shard1`, version, big(random, sizes), piece(random, sizes)),
    ...saved(`step${version}/.metadata`, version, small(random, sizes), sizes.part),
    ...saved("latest", version, 100, sizes.part),
  ]);

const remove: Program = (random, sizes) => [
  ...saved("gone", 1, big(random, sizes), piece(random, sizes)),
  { do: "unlink", path: "gone" },
  ...saved("short", 1, small(random, sizes), sizes.part),
  { do: "unlink", path: "short" },
  ...saved("short", 2, small(random, sizes), sizes.part),
  ...saved("gone", 2, big(random, sizes), piece(random, sizes)),
  { do: "unlink", path: "gone" },
];

export const PROGRAMS = {
  cp,
  dd,
  rsync,
  torch,
  safetensors,
  tree,
  overwrite,
  patch,
  rename,
  "rename-directory": renameDirectory,
  append,
  checkpoint,
  remove,
} satisfies Record<string, Program>;

export type ProgramName = keyof typeof PROGRAMS;

/** Its operations in a directory of its own. */
export function operationsOf(
  program: ProgramName,
  random: Random,
  sizes: Sizes,
  root: string,
): Operation[] {
  const below = (path: string): string => `${root}/${path}`;
  const moved = PROGRAMS[program](random, sizes).map((operation): Operation => {
    if ("path" in operation) return { ...operation, path: below(operation.path) };
    if ("name" in operation) return { ...operation, name: below(operation.name) };
    if ("from" in operation)
      return { ...operation, from: below(operation.from), to: below(operation.to) };
    return operation;
  });
  return [{ do: "mkdir", path: root }, ...moved];
}
