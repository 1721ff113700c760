// Server and client of the control socket over a real socket: answers, errors, streams, stale sockets, who may open it.

import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Background, KodomountError, silentLog } from "../../../src/base/mod.ts";
import {
  ControlClient,
  type ControlServer,
  type ControlTarget,
  controlSocket,
  type MountStatus,
  startControl,
} from "../../../src/control/mod.ts";

let stateDir: string;
let server: ControlServer | undefined;
const background = new Background(silentLog);

beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), "kodomount-control-"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await background.settled();
  await rm(stateDir, { recursive: true });
});

const STATUS: MountStatus = {
  pid: 1,
  version: "0.1.0",
  source: { endpoint: "https://s3.cn-east-1.qiniucs.com", bucket: "models", prefix: "" },
  dir: "/mnt",
  stateDir: "/state",
  since: 0,
  closeMode: "commit",
  readOnly: false,
  payloadHash: "verified",
  mounted: true,
  spill: { used: 1, limit: 2 },
  pending: [],
  failures: 0,
  goodput: 0,
  inFlight: 0,
  bytesAcknowledged: 0,
};

function target(changes: Partial<ControlTarget> = {}): ControlTarget {
  return {
    status: () => STATUS,
    uploads: () => [],
    act: async () => undefined,
    archive: async (path) => ({ path, state: "stored" }),
    restore: async () => [],
    waitFor: async () => ({ failed: [] }),
    warm: async () => ({ files: 0, bytes: 0, bytesFetched: 0, failed: [] }),
    stop: async () => ({ left: [] }),
    ...changes,
  };
}

async function start(
  changes: Partial<ControlTarget> = {},
  where = stateDir,
): Promise<ControlClient> {
  server = await startControl({
    socket: controlSocket(where),
    target: target(changes),
    background,
  });
  return new ControlClient(where);
}

const never = new AbortController().signal;

describe("control", () => {
  it("tells the status", async () => {
    const client = await start();
    expect(await client.status()).toEqual(STATUS);
  });

  it("hands on orders, and their refusal with its code", async () => {
    const orders: unknown[] = [];
    const client = await start({
      act: async (action) => {
        orders.push(action);
        if (action.kind === "drop") throw new KodomountError("Busy", "It is being saved anew");
      },
    });
    await client.act({ kind: "publish", save: "0123456789abcdef" });
    expect(orders).toEqual([{ kind: "publish", save: "0123456789abcdef" }]);
    await expect(client.act({ kind: "drop", save: "x" })).rejects.toMatchObject({
      code: "Busy",
      message: "It is being saved anew",
    });
  });

  it("streams what is waited for, then the result", async () => {
    const asked: unknown[] = [];
    const client = await start({
      waitFor: async (below, onWaiting) => {
        asked.push(below);
        onWaiting({ ...STATUS, inFlight: 2 });
        onWaiting({ ...STATUS, inFlight: 1 });
        return { failed: ["a: QuotaExceeded"] };
      },
    });
    const seen: number[] = [];
    const result = await client.waitFor("dir/ä b&c", (status) => seen.push(status.inFlight), never);
    expect(result).toEqual({ failed: ["a: QuotaExceeded"] });
    expect(seen).toEqual([2, 1]);
    expect(asked).toEqual(["dir/ä b&c"]);
  });

  it("stops with and without waiting, and says why it cannot", async () => {
    const asked: boolean[] = [];
    const client = await start({
      stop: async ({ wait }) => {
        asked.push(wait);
        if (wait) throw new KodomountError("Busy", "Files are open");
        return { left: ["a"] };
      },
    });
    expect(await client.stop({ wait: false }, () => undefined, never)).toEqual({ left: ["a"] });
    await expect(client.stop({ wait: true }, () => undefined, never)).rejects.toMatchObject({
      code: "Busy",
    });
    expect(asked).toEqual([false, true]);
  });

  it("ends a wait when the client gives it up", async () => {
    const giveUp = new AbortController();
    let ended: Promise<void> | undefined;
    const client = await start({
      waitFor: (_, onWaiting, signal) => {
        ended = new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
        onWaiting(STATUS);
        return ended.then(() => ({ failed: [] }));
      },
    });
    const waiting = client.waitFor(undefined, () => giveUp.abort(), giveUp.signal);
    await expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await ended;
  });

  it("says that the process died when it goes away in the middle", async () => {
    const client = await start({
      waitFor: (_, onWaiting, signal) => {
        onWaiting(STATUS);
        return new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve({ failed: [] })),
        );
      },
    });
    let closing: Promise<void> | undefined;
    const waiting = client.waitFor(
      undefined,
      () => {
        closing = server?.close();
        server = undefined;
      },
      never,
    );
    await expect(waiting).rejects.toMatchObject({
      code: "Stale",
      message: "The mount's process died while it was asked",
    });
    await closing;
  });

  it("is for its user alone", async () => {
    await start();
    expect((await stat(controlSocket(stateDir))).mode & 0o777).toBe(0o600);
  });

  it("replaces what a dead process left", async () => {
    await writeFile(controlSocket(stateDir), "");
    const client = await start();
    expect(await client.status()).toEqual(STATUS);
  });

  it("leaves a living process its socket", async () => {
    const client = await start();
    await expect(
      startControl({ socket: controlSocket(stateDir), target: target(), background }),
    ).rejects.toMatchObject({
      code: "Busy",
      message: `Another process listens at ${controlSocket(stateDir)}: the state directory is in use`,
    });
    expect(await client.status()).toEqual(STATUS);
  });

  it("says that nobody is there", async () => {
    const client = new ControlClient(stateDir);
    await expect(client.status()).rejects.toMatchObject({ code: "Stale" });
    const silent = createServer().listen(controlSocket(stateDir));
    await new Promise((resolve) => silent.once("listening", resolve));
    await new Promise((resolve) => silent.close(resolve));
    await expect(client.status()).rejects.toMatchObject({ code: "Stale" });
  });

  it("works in a state directory whose path is longer than a socket's address", async () => {
    const deep = path.join(stateDir, "x".repeat(100), "y".repeat(100));
    await mkdir(deep, { recursive: true });
    const client = await start({}, deep);
    expect(await client.status()).toEqual(STATUS);
  });
});
