// A scenario is a program, a fault and a moment, drawn from a seed: the same seed is the same scenario.

import type { Fault, OrderRequest } from "../../../src/emulator/mod.ts";
import type { Moment } from "./life.ts";
import { PROGRAMS, type ProgramName } from "./programs.ts";
import { type Random, randomOf } from "./random.ts";

export type FaultPlan =
  /** SIGKILL of the mount, the program, or both. */
  | { readonly kind: "kill"; readonly who: "mount" | "writer" | "both"; readonly at: Moment }
  /** What was not synced is gone. */
  | { readonly kind: "power loss"; readonly at: Moment }
  /** A fault of the store; with `kill` the mount is killed too, and what the fault has done is there at the next start. */
  | {
      readonly kind: "store";
      readonly name: string;
      readonly order: OrderRequest;
      readonly kill?: Moment;
    }
  | { readonly kind: "store down"; readonly at: Moment; readonly downMs: number }
  | { readonly kind: "stranger"; readonly does: "put" | "delete" | "abort"; readonly at: Moment }
  | { readonly kind: "spill full" | "spill fsync"; readonly after: number; readonly times: number }
  | { readonly kind: "catalog full"; readonly after: number; readonly times: number }
  /** A byte is changed while the mount is down. */
  | { readonly kind: "damage"; readonly of: "spill" | "catalog"; readonly at: Moment }
  /** The wall clock of the machine, or of the store, is set. */
  | {
      readonly kind: "clock";
      readonly of: "machine" | "store";
      readonly byMs: number;
      readonly at: Moment;
    };

export interface Scenario {
  readonly seed: number;
  readonly program: ProgramName;
  readonly closeMode: "commit" | "strict" | "local";
  readonly lanes: number;
  readonly fault: FaultPlan;
}

const HOUR_MS = 3600_000;

export function scenarioOf(seed: number): Scenario {
  const random = randomOf(seed);
  const drawn = random.pick(Object.keys(PROGRAMS) as [ProgramName, ...ProgramName[]]);
  const fault = faultOf(random, drawn);
  return {
    seed,
    program: programFor(fault, drawn),
    closeMode: random.pick(["commit", "commit", "commit", "strict", "local"]),
    lanes: random.int(1, 8),
    fault,
  };
}

/** Another one where the fault could not happen to it, or could not be told from what it does itself. */
function programFor(fault: FaultPlan, drawn: ProgramName): ProgramName {
  const isSmall = drawn === "tree" || drawn === "append";
  if (fault.kind === "spill fsync") return "dd";
  if (fault.kind === "spill full" && isSmall) return "cp";
  if (fault.kind === "damage" && fault.of === "spill" && isSmall) return "checkpoint";
  if (fault.kind === "stranger" && fault.does === "abort" && isSmall) return "torch";
  // What it changes would be partly the stranger's.
  if (
    fault.kind === "stranger" &&
    fault.does === "put" &&
    (drawn === "patch" || drawn === "append")
  )
    return "overwrite";
  return drawn;
}

/** For the summary. */
export function nameOf(fault: FaultPlan): string {
  switch (fault.kind) {
    case "kill":
      return `SIGKILL of ${fault.who}`;
    case "store":
      return `${fault.name}${fault.kill === undefined ? "" : ", SIGKILL"}`;
    case "stranger":
      return `stranger: ${fault.does}`;
    case "damage":
      return `damage: ${fault.of}`;
    case "clock":
      return `clock of ${fault.of}`;
    case "power loss":
    case "store down":
    case "spill full":
    case "spill fsync":
    case "catalog full":
      return fault.kind;
  }
}

/** How often each family is drawn. */
const FAMILIES: readonly {
  readonly weight: number;
  readonly draw: (random: Random, program: ProgramName) => FaultPlan;
}[] = [
  { weight: 22, draw: (random) => ({ kind: "kill", who: "mount", at: momentOf(random) }) },
  { weight: 6, draw: (random) => ({ kind: "kill", who: "writer", at: momentOf(random) }) },
  { weight: 4, draw: (random) => ({ kind: "kill", who: "both", at: momentOf(random) }) },
  { weight: 16, draw: (random) => ({ kind: "power loss", at: momentOf(random) }) },
  { weight: 24, draw: storeFault },
  {
    weight: 8,
    draw: (random, program) => ({ ...storeFault(random, program), kill: momentOf(random) }),
  },
  {
    weight: 3,
    draw: (random) => ({
      ...{ kind: "store down", at: requestOf(random) },
      downMs: random.pick([0, 0, 2000, 15_000]),
    }),
  },
  {
    weight: 5,
    draw: (random) => ({
      ...{ kind: "stranger", does: random.pick(["put", "delete", "abort"]) },
      at: requestOf(random),
    }),
  },
  {
    weight: 2,
    draw: (random) => ({
      kind: "spill full",
      after: random.log(1, 40) - 1,
      times: random.log(1, 50),
    }),
  },
  {
    weight: 2,
    draw: (random) => ({
      kind: "spill fsync",
      after: random.log(1, 6) - 1,
      times: random.log(1, 10),
    }),
  },
  {
    weight: 2,
    draw: (random) => ({
      kind: "catalog full",
      after: random.log(3, 60),
      times: random.log(1, 12),
    }),
  },
  { weight: 2, draw: (random) => ({ kind: "damage", of: "spill", at: momentOf(random) }) },
  { weight: 2, draw: (random) => ({ kind: "damage", of: "catalog", at: momentOf(random) }) },
  {
    weight: 2,
    draw: (random) => ({
      ...{ kind: "clock", of: "machine", at: momentOf(random) },
      byMs: random.pick([-200, -1, 1, 200]) * HOUR_MS,
    }),
  },
  {
    weight: 2,
    draw: (random) => ({
      ...{ kind: "clock", of: "store", at: requestOf(random) },
      byMs: random.pick([-24, -1, 1, 24]) * HOUR_MS,
    }),
  },
];

function faultOf(random: Random, program: ProgramName): FaultPlan {
  const total = FAMILIES.reduce((sum, { weight }) => sum + weight, 0);
  let at = random.next() * total;
  for (const { weight, draw } of FAMILIES) {
    at -= weight;
    if (at < 0) return draw(random, program);
  }
  throw new Error("the weights add up to their sum");
}

function momentOf(random: Random): Moment {
  const kind = random.pick<Moment["kind"]>(["operation", "disk", "catalog", "request"]);
  return { kind, edge: random.pick(["before", "after"]), count: random.log(1, 60) };
}

function requestOf(random: Random): Moment {
  return { kind: "request", edge: random.pick(["before", "after"]), count: random.log(1, 12) };
}

/** What each program asks the store for, in all modes of closing. */
const REQUESTS: Readonly<Record<ProgramName, readonly OrderRequest["kind"][]>> = (() => {
  const parts = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"] as const;
  const small = ["PutObject"] as const;
  return {
    cp: parts,
    dd: parts,
    rsync: [...parts, ...small],
    torch: parts,
    safetensors: parts,
    tree: small,
    overwrite: parts,
    patch: parts,
    rename: [...parts],
    "rename-directory": [...parts, ...small],
    append: small,
    checkpoint: [...parts, ...small],
    remove: [...small],
  };
})();

const STATUS = (status: number, code?: string): Fault =>
  code === undefined ? { kind: "status", status } : { kind: "status", status, code };

/** By name, with the kinds of requests that it makes sense for. */
const STORE_FAULTS: readonly {
  readonly name: string;
  readonly of?: readonly OrderRequest["kind"][];
  readonly fault: (random: Random) => Fault;
  readonly count?: (random: Random) => number;
}[] = [
  { name: "503", fault: () => STATUS(503), count: (random) => random.log(1, 8) },
  { name: "500", fault: () => STATUS(500), count: (random) => random.log(1, 8) },
  { name: "429", fault: () => STATUS(429) },
  {
    name: "reset before the body",
    fault: () => ({ kind: "reset" }),
    count: (random) => random.log(1, 6),
  },
  {
    name: "reset in the body",
    of: ["UploadPart", "PutObject"],
    fault: (random) => ({ kind: "reset", afterBytes: random.log(1, 12_000) }),
    count: (random) => random.log(1, 6),
  },
  { name: "reset after the body", fault: () => ({ kind: "reset", afterBytes: 1_000_000_000 }) },
  { name: "stall", fault: () => ({ kind: "stall" }) },
  {
    name: "stall in the body",
    of: ["UploadPart", "PutObject"],
    fault: () => ({ kind: "stall", afterBytes: 1000 }),
  },
  {
    name: "reply lost",
    fault: () => ({ kind: "lost-reply" }),
    count: (random) => random.log(1, 3),
  },
  {
    name: "slow",
    fault: (random) => ({ kind: "slow", delayMs: random.int(100, 8000) }),
    count: (random) => random.log(1, 4),
  },
  {
    name: "late",
    fault: (random) => ({ kind: "late", delayMs: random.log(10, 8000) }),
    of: ["UploadPart", "PutObject"],
  },
  {
    name: "200 with an error",
    of: ["CompleteMultipartUpload"],
    fault: () => ({ kind: "error-in-200", code: "InternalError" }),
  },
  {
    name: "NoSuchUpload",
    of: ["UploadPart", "CompleteMultipartUpload"],
    fault: () => ({ kind: "no-such-upload" }),
  },
  { name: "RequestTimeTooSkewed", fault: () => STATUS(403, "RequestTimeTooSkewed") },
  { name: "403 from the middle", fault: () => STATUS(403), count: () => 1000 },
  { name: "507 from the middle", fault: () => STATUS(507), count: () => 1000 },
];

function storeFault(random: Random, program: ProgramName): FaultPlan & { kind: "store" } {
  const kinds = REQUESTS[program];
  const possible = STORE_FAULTS.filter(
    ({ of }) => of === undefined || of.some((kind) => kinds.includes(kind)),
  );
  const [first = { name: "503", fault: () => STATUS(503) }, ...rest] = possible;
  const { name, of, fault, count } = random.pick([first, ...rest]);
  const [kind = "any", ...others] = kinds.filter((each) => of === undefined || of.includes(each));
  const order = {
    kind: random.pick([kind, ...others]),
    fault: fault(random),
    count: count?.(random) ?? 1,
  };
  return { kind: "store", name, order };
}
