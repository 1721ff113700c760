// The command line: help, version, and one exact line with its exit code for each wrong input. No input reaches a network.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CliWorld } from "./fake-mount.ts";

const KEYS = { KODO_ACCESS_KEY: "AK-of-a-test", KODO_SECRET_KEY: "hunter2-secret" };
const KODO = ["--endpoint", "https://s3.cn-east-1.qiniucs.com"];

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.create();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe("kodomount", () => {
  it("prints its version", async () => {
    expect(await world.kodomount(["--version"])).toEqual({ code: 0, out: "0.1.0\n", err: "" });
  });

  it("prints help with all commands and the exit codes", async () => {
    const { code, out, err } = await world.kodomount(["--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const word of ["mount", "unmount", "status", "uploads", "wait", "emulator", "Exit codes:"])
      expect(out).toContain(word);
    expect(out).not.toMatch(/^ {2}serve/m);
  });

  it.each(["mount", "unmount", "status", "uploads", "wait", "emulator"])(
    "prints help of %s",
    async (command) => {
      const { code, out, err } = await world.kodomount([command, "--help"]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain(`Usage: kodomount ${command}`);
    },
  );

  it("names every option of mount in its help", async () => {
    const { out } = await world.kodomount(["mount", "--help"]);
    for (const option of [
      "close",
      "close-lag",
      "hold",
      "storage-class",
      "state-dir",
      "read-endpoint",
      "cache-dir",
      "cache-size",
      "list-ttl",
      "read-memory",
      "spill-limit",
      "part-size",
      "uploads",
      "provider",
      "endpoint",
      "region",
      "profile",
      "allow-http",
      "allow-other",
      "read-only",
      "log",
      "foreground",
      "option",
    ])
      expect(out).toContain(`--${option}`);
    for (const name of ["KODO_ACCESS_KEY", "KODO_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"])
      expect(out).toContain(name);
  });

  it("shows help on stderr when there is no command", async () => {
    const { code, out, err } = await world.kodomount([]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("Usage: kodomount");
  });

  it.each([
    [["frob"], "unknown command 'frob'; see 'kodomount --help'"],
    [["mount"], "missing required argument 'source'; see 'kodomount mount --help'"],
    [["mount", "models"], "missing required argument 'dir'; see 'kodomount mount --help'"],
    [
      ["mount", "models", "mnt", "more"],
      "too many arguments for 'mount'. Expected 2 arguments but got 3; see 'kodomount mount --help'",
    ],
    [
      ["mount", "models", "mnt", "--clos", "strict"],
      "unknown option '--clos' (Did you mean --close?); see 'kodomount mount --help'",
    ],
    [
      ["mount", "models", "mnt", "--close"],
      "option '--close <mode>' argument missing; see 'kodomount mount --help'",
    ],
    [
      ["mount", "models", "mnt", ...KODO, "--close=never"],
      "Cannot use '--close' \"never\": it must be commit, strict or local",
    ],
    [
      ["mount", "models", "mnt", ...KODO, "-o", "ro,wrong=1"],
      "Cannot use '-o' \"wrong\": there is no such option; see 'kodomount mount --help'",
    ],
    [
      ["emulator", "dir", "--port", "70000"],
      "Cannot use '--port' \"70000\": it must be a whole number from 0 to 65535",
    ],
    [
      ["uploads", "publish"],
      "missing required argument 'save'; see 'kodomount uploads publish --help'",
    ],
    [["serve"], "'kodomount serve' is started by 'kodomount mount', not by hand"],
  ])("refuses %j with exit code 2", async (args, message) => {
    expect(await world.kodomount(args, { env: KEYS })).toEqual({
      code: 2,
      out: "",
      err: `kodomount: ${message}\n`,
    });
  });

  it.each([
    [["mount", "models", "mnt", "--secret-key=hunter2-secret"]],
    [["mount", "models", "mnt", "--secret-key", "hunter2-secret"]],
    [["mount", "s3://AK:hunter2-secret@models", "mnt", ...KODO]],
    [["mount", "models", "mnt", "--endpoint", "https://AK:hunter2-secret@host"]],
    [["mount", "models", "mnt", ...KODO, "-o", "secret=hunter2-secret"]],
    [["mount", "models", "mnt", ...KODO, "--log", "debug", "--close", "x"]],
  ])("does not repeat a key: %j", async (args) => {
    const { code, out, err } = await world.kodomount(args, { env: KEYS });
    expect(code).toBe(2);
    expect(out + err).not.toContain("hunter2");
  });

  it("says nothing but the sentence, and the stack only to those who debug", async () => {
    const args = ["mount", "models", "mnt", ...KODO, "--close", "x"];
    expect((await world.kodomount(args, { env: KEYS })).err.split("\n")).toHaveLength(2);
    for (const log of [["--log", "debug"], ["--log=debug:/tmp/x"]])
      expect((await world.kodomount([...args, ...log], { env: KEYS })).err).toMatch(/\n {4}at /);
  });

  it("is mount(8)'s helper by the name mount.kodomount", async () => {
    const options = [
      "-n",
      "-v",
      "-o",
      "rw,_netdev,close=never,endpoint=https://s3.cn-east-1.qiniucs.com",
    ];
    const { err } = await world.kodomount(["models", "mnt", ...options], {
      env: KEYS,
      program: "/sbin/mount.kodomount",
    });
    expect(err).toBe(
      "kodomount: Cannot use '--close' \"never\": it must be commit, strict or local\n",
    );
  });
});
