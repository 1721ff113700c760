// Keys are in no log, no argument list and no environment of the mount's process.

import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KodomountError } from "../../../src/base/mod.ts";
import { daemonCommand } from "../../../src/cli/daemon.ts";
import { createLog } from "../../../src/cli/logger.ts";
import { load } from "../config/load.ts";

const SECRET = 'hunter2/+"=';
const credentials = {
  kind: "static",
  accessKeyId: "AK",
  secretAccessKey: SECRET,
  sessionToken: "session-hunter2",
} as const;

let base: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), "kodomount-log-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true });
});

describe("createLog", () => {
  async function logged(write: (log: ReturnType<typeof createLog>) => void): Promise<string> {
    const file = path.join(base, "logs", "kodomount.log");
    write(createLog({ level: "info", to: file, credentials }));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    return readFile(file, "utf8");
  }

  it("writes JSON lines with time, level and the error's code, message and causes", async () => {
    const cause = new Error("no route");
    const text = await logged((log) =>
      log.warn(
        { key: "a", err: new KodomountError("Unreachable", "PUT a", { cause }) },
        "It failed",
      ),
    );
    expect(JSON.parse(text)).toMatchObject({
      level: 40,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      msg: "It failed",
      key: "a",
      err: { code: "Unreachable", message: "PUT a: no route" },
    });
  });

  it("leaves out what is below its level", async () => {
    expect(
      await logged((log) => {
        log.debug({}, "quiet");
        log.info({}, "loud");
      }),
    ).not.toContain("quiet");
  });

  it("has no key in any line, wherever it was", async () => {
    const text = await logged((log) => {
      log.info({ credentials }, "one");
      log.info({ config: { credentials } }, "two");
      log.info({ a: { b: { secretAccessKey: "other-hunter2" } } }, "three");
      log.info({ request: { headers: { authorization: "AWS4 hunter2" } } }, "four");
      log.info(
        { anything: [SECRET] },
        `a message with ${SECRET} and ${encodeURIComponent(SECRET)}`,
      );
      log.error(
        { err: Object.assign(new Error(`stack with ${SECRET}`), { request: SECRET }) },
        "five",
      );
      log.info({ header: `Signature=${"0a".repeat(32)}` }, "session-hunter2");
    });
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("0a0a");
    expect(text.trim().split("\n")).toHaveLength(7);
  });

  it("lets the mount go on when the disk is full", () => {
    const log = createLog({ level: "info", to: "/dev/full", credentials });
    for (let line = 0; line < 3; line += 1) log.info({}, "nobody will read this");
  });
});

describe("daemonCommand", () => {
  it("has the keys neither in its arguments nor in its environment", () => {
    for (const name of [
      "KODO_ACCESS_KEY",
      "KODO_SECRET_KEY",
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_SESSION_TOKEN",
    ])
      vi.stubEnv(name, "hunter2");
    const config = { ...load({}), credentials };
    const text = JSON.stringify(daemonCommand(config));
    expect(text).not.toContain("hunter2");
    expect(daemonCommand(config)).toMatchObject({
      args: expect.arrayContaining(["serve", "s3://models/team/a", "/home/ann/mnt"]),
      env: { UV_THREADPOOL_SIZE: "16" },
    });
  });

  it("leaves the environment to a profile, which may refer to it", () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "from-outside");
    const config = { ...load({}), credentials: { kind: "profile", profile: "p" } as const };
    expect(daemonCommand(config).env["AWS_ACCESS_KEY_ID"]).toBe("from-outside");
  });
});
