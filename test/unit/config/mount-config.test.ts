// Flags and environment to one configuration: defaults, what is guessed, and one exact line for each bad value.

import { describe, expect, it } from "vitest";
import { type MountFlags, parseMountConfig } from "../../../src/config/mod.ts";
import { around, KEYS, KODO, load } from "./load.ts";

describe("loadMountConfig", () => {
  it("fills in what is not said", () => {
    expect(load({})).toEqual({
      bucket: "models",
      prefix: "team/a/",
      endpoint: "https://s3.cn-east-1.qiniucs.com",
      region: "cn-east-1",
      provider: "kodo",
      credentials: {
        kind: "static",
        accessKeyId: "AK-of-a-test",
        secretAccessKey: "SECRET-of-a-test",
      },
      dir: "/home/ann/mnt",
      stateDir: expect.stringMatching(
        /^\/home\/ann\/\.local\/state\/kodomount\/models-team-a-[0-9a-f]{10}$/,
      ),
      closeMode: "commit",
      closeLagMs: 2000,
      hold: [],
      storageClasses: [],
      persistAttributes: "catalog",
      spillLimit: undefined,
      listTtlMs: 5000,
      readMemory: 64 * 1024 * 1024,
      partSize: 8 * 1024 ** 2,
      uploads: undefined,
      congestion: "bbr",
      allowOther: false,
      readOnly: false,
      foreground: false,
      log: { level: "info", file: undefined },
    });
  });

  it("takes every option", () => {
    const flags: MountFlags = {
      close: "local",
      closeLag: "500ms",
      hold: ["*.tmp", "*.part"],
      storageClass: ["COLD", "*.ckpt=DEEP"],
      persistAttributes: "copy",
      stateDir: "state",
      spillLimit: "1.5G",
      listTtl: "30s",
      readMemory: "256M",
      readEndpoint: "https://cdn.example.com/models/",
      cacheDir: "cache",
      cacheSize: "100G",
      partSize: "16M",
      uploads: "4",
      congestion: "system",
      provider: "generic",
      endpoint: "http://10.0.0.7:7480/",
      region: "here",
      profile: "work",
      log: "debug:logs/k.log",
      allowHttp: true,
      allowOther: true,
      readOnly: true,
      foreground: true,
    };
    expect(load({ source: "s3://models", flags })).toEqual({
      bucket: "models",
      prefix: "",
      endpoint: "http://10.0.0.7:7480",
      region: "here",
      provider: "generic",
      credentials: { kind: "profile", profile: "work" },
      dir: "/home/ann/mnt",
      stateDir: "/home/ann/state",
      closeMode: "local",
      closeLagMs: 500,
      hold: ["*.tmp", "*.part"],
      storageClasses: [{ storageClass: "COLD" }, { pattern: "*.ckpt", storageClass: "DEEP" }],
      persistAttributes: "copy",
      spillLimit: 1.5 * 1024 ** 3,
      listTtlMs: 30_000,
      readMemory: 256 * 1024 * 1024,
      readEndpoint: "https://cdn.example.com/models",
      cache: { dir: "/home/ann/cache", size: 100 * 1024 ** 3 },
      partSize: 16 * 1024 ** 2,
      uploads: 4,
      congestion: "system",
      allowOther: true,
      readOnly: true,
      foreground: true,
      log: { level: "debug", file: "/home/ann/logs/k.log" },
    });
  });

  it("takes the same options from fstab, and passes over those of mount(8)", () => {
    const options = [
      "rw,noauto,_netdev,nofail,user,noexec,nosuid,nodev,x-systemd.automount,x-systemd.mount-timeout=30,comment=hi",
      "endpoint=https://s3.cn-east-1.qiniucs.com,close=strict,close_lag=1s,allow_other,hold=*.tmp,hold=*.part,storage-class=LINE,storage_class=*.ckpt=GLACIER,part-size=4M,ro",
    ];
    expect(load({ flags: { options } })).toMatchObject({
      closeMode: "strict",
      hold: ["*.tmp", "*.part"],
      storageClasses: [{ storageClass: "LINE" }, { pattern: "*.ckpt", storageClass: "GLACIER" }],
      closeLagMs: 1000,
      allowOther: true,
      partSize: 4 * 1024 ** 2,
      readOnly: true,
    });
  });

  it("lets an option of its own win over the same one in '-o'", () => {
    expect(load({ flags: { ...KODO, close: "local", options: ["close=strict"] } }).closeMode).toBe(
      "local",
    );
  });

  it("cannot be changed afterwards", () => {
    expect(Object.isFrozen(load({}))).toBe(true);
  });

  it("has one state directory for each endpoint, bucket and prefix", () => {
    const dirs = [
      load({}),
      load({ source: "models/team/b" }),
      load({ source: "models-team/a" }),
      load({ flags: { endpoint: "https://s3.cn-east-2.qiniucs.com" } }),
    ].map((config) => config.stateDir);
    expect(new Set(dirs).size).toBe(4);
    expect(load({ source: "s3://models/team/a/" }).stateDir).toBe(dirs[0]);
  });

  it.each([
    [{ isRoot: true }, "/var/lib/kodomount/"],
    [{ env: { ...KEYS, XDG_STATE_HOME: "/data/state" } }, "/data/state/kodomount/"],
    [{ env: { ...KEYS, XDG_STATE_HOME: "relative" } }, "/home/ann/.local/state/kodomount/"],
  ])("keeps its state below the base of the user: %j", (changes, base) => {
    expect(load({}, around(changes)).stateDir.startsWith(`${base}models-team-a-`)).toBe(true);
  });

  it.each<
    [MountFlags, Record<string, string>, { provider: string; endpoint: string; region: string }]
  >([
    [
      { endpoint: "https://s3-cn-south-1.qiniucs.com" },
      {},
      { provider: "kodo", endpoint: "https://s3-cn-south-1.qiniucs.com", region: "cn-south-1" },
    ],
    [
      { region: "us-north-1" },
      {},
      { provider: "kodo", endpoint: "https://s3.us-north-1.qiniucs.com", region: "us-north-1" },
    ],
    [
      { endpoint: "https://s3.eu-west-1.amazonaws.com" },
      { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
      { provider: "aws", endpoint: "https://s3.eu-west-1.amazonaws.com", region: "eu-west-1" },
    ],
    [
      { provider: "aws" },
      { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "eu-north-1" },
      { provider: "aws", endpoint: "https://s3.eu-north-1.amazonaws.com", region: "eu-north-1" },
    ],
    [
      { endpoint: "http://127.0.0.1:9000" },
      {},
      { provider: "generic", endpoint: "http://127.0.0.1:9000", region: "us-east-1" },
    ],
    [
      { endpoint: "http://localhost:9000", provider: "kodo", region: "demo" },
      {},
      { provider: "kodo", endpoint: "http://localhost:9000", region: "demo" },
    ],
  ])("finds the store of %j", (flags, env, expected) => {
    expect(load({ flags }, around({ env: { ...KEYS, ...env } }))).toMatchObject(expected);
  });

  it.each<[string, MountFlags, Record<string, string>, boolean, unknown]>([
    [
      "Kodo's variables before AWS's",
      KODO,
      { ...KEYS, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
      true,
      { accessKeyId: "AK-of-a-test" },
    ],
    [
      "AWS's variables before a profile",
      KODO,
      {
        AWS_ACCESS_KEY_ID: "a",
        AWS_SECRET_ACCESS_KEY: "b",
        AWS_SESSION_TOKEN: "t",
        AWS_PROFILE: "p",
      },
      true,
      { kind: "static", accessKeyId: "a", secretAccessKey: "b", sessionToken: "t" },
    ],
    [
      "'--profile' before all variables",
      { ...KODO, profile: "p" },
      KEYS,
      false,
      { kind: "profile", profile: "p" },
    ],
    [
      "AWS_PROFILE before the default profile",
      KODO,
      { AWS_PROFILE: "p" },
      true,
      { kind: "profile", profile: "p" },
    ],
    ["the default profile at last", KODO, {}, true, { kind: "profile", profile: "default" }],
    [
      "no key of Kodo for AWS",
      { provider: "aws" },
      { ...KEYS, AWS_PROFILE: "p" },
      false,
      { kind: "profile", profile: "p" },
    ],
  ])("takes %s", (_, ...[flags, env, hasFile, expected]) => {
    expect(load({ flags }, around({ env, hasFile: () => hasFile })).credentials).toMatchObject(
      expected as object,
    );
  });
});

describe("parseMountConfig", () => {
  it("takes what another process of ours wrote", () => {
    const config = load({ flags: { ...KODO, spillLimit: "1G" } });
    expect(parseMountConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it("names what is wrong without its value", () => {
    const broken = {
      ...load({}),
      credentials: { kind: "static", accessKeyId: "a", secretAccessKey: ["hunter2"] },
    };
    expect(() => parseMountConfig(broken)).toThrow(
      "The configuration of the mount is not valid in: credentials.secretAccessKey",
    );
    expect(() => parseMountConfig("hunter2")).toThrow(
      /^The configuration of the mount is not valid in: invalid_type$/,
    );
  });
});
