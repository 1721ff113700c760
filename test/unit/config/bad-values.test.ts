// Every bad value is refused in one exact line, which never has a key in it.

import { describe, expect, it } from "vitest";
import type { Surroundings } from "../../../src/config/mod.ts";
import { around, KODO, load } from "./load.ts";

/** The one line that such a configuration is refused with. */
function refusal(request: Parameters<typeof load>[0], where?: Surroundings): string {
  try {
    load(request, where);
  } catch (error) {
    expect(error).toMatchObject({ code: "Config" });
    return error instanceof Error ? error.message : "";
  }
  return "it was accepted";
}

describe("loadMountConfig", () => {
  it.each<[Parameters<typeof load>[0], string]>([
    [
      { source: "" },
      "Cannot use the bucket \"\": a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'; write it as BUCKET[/PREFIX] or s3://BUCKET[/PREFIX]",
    ],
    [
      { source: "https://s3.cn-east-1.qiniucs.com/models" },
      "Cannot use the bucket \"https://s3.cn-east-1.qiniucs.com/models\": write it as BUCKET[/PREFIX] or s3://BUCKET[/PREFIX]; the server goes to '--endpoint'",
    ],
    [
      { flags: { ...KODO, readEndpoint: "cdn.example.com" } },
      "Cannot use '--read-endpoint' \"cdn.example.com\": it must begin with https:// (or http:// for a store on this machine)",
    ],
    [
      { flags: { ...KODO, readEndpoint: "https://AK:SK@cdn.example.com" } },
      "Cannot use '--read-endpoint': it must not have keys in it; put them into KODO_ACCESS_KEY and KODO_SECRET_KEY",
    ],
    [
      { flags: { ...KODO, readEndpoint: "http://cdn.example.com" } },
      "Cannot use '--read-endpoint' \"http://cdn.example.com\": over http:// everybody on the way can read and change what is sent; use https://, or allow it by '--allow-http'",
    ],
    [
      { flags: { ...KODO, readEndpoint: "https://cdn.example.com/?a=b" } },
      "Cannot use '--read-endpoint' \"https://cdn.example.com/?a=b\": a key is put behind it, so it must not have '?' or '#' in it",
    ],
    [
      { flags: { ...KODO, cacheSize: "10G" } },
      "Cannot use '--cache-size' \"10G\": there is no cache without '--cache-dir'",
    ],
    [
      { flags: { ...KODO, cacheDir: "/c", cacheSize: "1M" } },
      "Cannot use '--cache-size' \"1M\": it must be 64M at least",
    ],
    [
      { source: "models/a//b" },
      "Cannot use the bucket \"models/a//b\": the prefix must not have empty names, '.' or '..' in it",
    ],
    [
      { source: "models/../b" },
      "Cannot use the bucket \"models/../b\": the prefix must not have empty names, '.' or '..' in it",
    ],
    [
      { source: "models/a\nb" },
      'Cannot use the bucket "models/a\\nb": the prefix must not have control characters in it',
    ],
    [
      { source: `models/${"x".repeat(600)}` },
      "Cannot use the bucket: the prefix can have at most 512 bytes",
    ],
    [{ dir: "" }, 'Cannot use the mount point "": it must be the path of a directory'],
    [
      { flags: { ...KODO, close: "later" } },
      "Cannot use '--close' \"later\": it must be commit, strict or local",
    ],
    [
      { flags: { ...KODO, closeLag: "soon" } },
      "Cannot use '--close-lag' \"soon\": it must be a duration such as 2s, 500ms or 1m",
    ],
    [
      { flags: { ...KODO, closeLag: "25h" } },
      "Cannot use '--close-lag' \"25h\": it can be at most 24h; '--close=local' has no bound",
    ],
    [
      { flags: { ...KODO, storageClass: ["*.ckpt=IA"] } },
      "Cannot use '--storage-class' \"*.ckpt=IA\": it must be CLASS or PATTERN=CLASS, and the classes of this store are STANDARD, LINE, GLACIER_IR, GLACIER, DEEP_ARCHIVE or INTELLIGENT_TIERING",
    ],
    [
      { flags: { endpoint: "http://10.0.0.7:7480", allowHttp: true, storageClass: ["cold"] } },
      "Cannot use '--storage-class' \"cold\": it must be CLASS or PATTERN=CLASS, with a class in capitals, such as STANDARD",
    ],
    [
      { flags: { ...KODO, storageClass: ["a/b=LINE"] } },
      "'--storage-class' must be [PATTERN=]CLASS with a pattern for names such as '*.ckpt': received \"a/b\"",
    ],
    [
      { flags: { ...KODO, hold: ["*"] } },
      "'--hold' must be a pattern for names such as '*.tmp': received \"*\"",
    ],
    [
      { flags: { ...KODO, spillLimit: "10X" } },
      "Cannot use '--spill-limit' \"10X\": it must be a size such as 8M, 1.5G or 1048576",
    ],
    [
      { flags: { ...KODO, spillLimit: "0" } },
      "Cannot use '--spill-limit' \"0\": it must be a size such as 8M, 1.5G or 1048576",
    ],
    [
      { flags: { ...KODO, partSize: "-1" } },
      "Cannot use '--part-size' \"-1\": it must be a size such as 8M, 1.5G or 1048576",
    ],
    [
      { flags: { ...KODO, partSize: "64K" } },
      "Cannot use '--part-size' 65536: it must be from 1048576 to 1073741824 bytes at this store",
    ],
    [
      { flags: { ...KODO, uploads: "0" } },
      "Cannot use '--uploads' \"0\": it must be a whole number from 1 to 256",
    ],
    [
      { flags: { ...KODO, uploads: "many" } },
      "Cannot use '--uploads' \"many\": it must be a whole number from 1 to 256",
    ],
    [
      { flags: { ...KODO, congestion: "cubic" } },
      "Cannot use '--congestion' \"cubic\": it must be bbr or system",
    ],
    [
      { flags: { ...KODO, provider: "oss" } },
      "Cannot use '--provider' \"oss\": it must be kodo, aws or generic",
    ],
    [
      { flags: { provider: "generic" } },
      "Cannot use '--provider' \"generic\": such a store has no address of its own; give '--endpoint URL' too",
    ],
    [
      { flags: { provider: "kodo" } },
      "Cannot use '--provider' \"kodo\": the region is not known; give '--region', for example cn-east-1, or '--endpoint'",
    ],
    [
      { flags: { endpoint: "s3.cn-east-1.qiniucs.com" } },
      "Cannot use '--endpoint' \"s3.cn-east-1.qiniucs.com\": it must begin with https:// (or http:// for a store on this machine)",
    ],
    [
      { flags: { endpoint: "https://s3.cn-east-1.qiniucs.com/models" } },
      "Cannot use '--endpoint' \"https://s3.cn-east-1.qiniucs.com/models\": it must be scheme, host and port alone; bucket and prefix are an argument of their own",
    ],
    [
      { flags: { endpoint: "https://models.s3.cn-east-1.qiniucs.com" } },
      "Cannot use '--endpoint' \"https://models.s3.cn-east-1.qiniucs.com\": at Kodo it must be https://s3.REGION.qiniucs.com; the bucket is an argument of its own",
    ],
    [
      { flags: { endpoint: "http://s3.cn-east-1.qiniucs.com" } },
      "Cannot use '--endpoint' \"http://s3.cn-east-1.qiniucs.com\": over http:// everybody on the way can read and change what is sent; use https://, or allow it by '--allow-http'",
    ],
    [
      { flags: { endpoint: "https://[::1" } },
      "Cannot use '--endpoint' \"https://[::1\": it is not a URL; it must be like https://s3.cn-east-1.qiniucs.com",
    ],
    [
      { flags: { ...KODO, region: "cn-east-2" } },
      "Cannot use '--region' \"cn-east-2\": the endpoint https://s3.cn-east-1.qiniucs.com is in cn-east-1; leave one of them out",
    ],
    [
      { flags: { ...KODO, region: "cn east" } },
      "Cannot use '--region' \"cn east\": it must be the store's name for a region, such as cn-east-1",
    ],
    [
      { flags: { ...KODO, profile: "" } },
      "Cannot use '--profile' \"\": it must be the name of a profile in ~/.aws/credentials",
    ],
    [
      { flags: { ...KODO, log: "loud" } },
      "Cannot use '--log' \"loud\": it must be debug, info, warn, error, a file (with a '/' in it), or LEVEL:FILE",
    ],
    [
      { flags: { ...KODO, options: ["clos=strict"] } },
      "Cannot use '-o' \"clos\": there is no such option; see 'kodomount mount --help'",
    ],
    [
      { flags: { ...KODO, options: ["close"] } },
      "Cannot use '-o' \"close\": it needs a value: close=...",
    ],
    [{ flags: { ...KODO, options: ["ro=1"] } }, "Cannot use '-o' \"ro\": it takes no value"],
    [
      { flags: { ...KODO, options: ["noexec"] } },
      "Cannot use '-o' \"noexec\": there is no such option; see 'kodomount mount --help'",
    ],
  ])("refuses %j in one line", (request, message) => {
    expect(refusal(request)).toBe(message);
  });

  it.each<[Record<string, string>, string]>([
    [
      {},
      "There are no keys for the store: set KODO_ACCESS_KEY and KODO_SECRET_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or name a profile of ~/.aws/credentials by '--profile'",
    ],
    [{ KODO_ACCESS_KEY: "a" }, "KODO_ACCESS_KEY is set but KODO_SECRET_KEY is not: set both"],
    [
      { AWS_SECRET_ACCESS_KEY: "b" },
      "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not: set both",
    ],
    [
      { KODO_ACCESS_KEY: "a", KODO_SECRET_KEY: "b\n" },
      "KODO_SECRET_KEY has a space or a line break in it: it was not copied right",
    ],
  ])("refuses keys %j", (env, message) => {
    expect(refusal({}, around({ env }))).toBe(message);
  });

  it("asks which store is meant when nothing tells", () => {
    const env = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
    expect(refusal({ flags: {} }, around({ env }))).toBe(
      "Cannot use the bucket: which store it is in is not known; give '--endpoint URL', or '--provider kodo' or 'aws' with '--region'",
    );
  });

  it.each<Parameters<typeof load>[0]>([
    { source: "s3://AK:hunter2/x@models" },
    { source: "AK:hunter2@models" },
    { source: "https://AK:hunter2@host/models" },
    { flags: { endpoint: "https://AK:hunter2@s3.cn-east-1.qiniucs.com" } },
    { flags: { endpoint: "AK:hunter2/@s3.cn-east-1.qiniucs.com" } },
    { flags: { ...KODO, options: ["secret_key=hunter2"] } },
    { flags: { ...KODO, options: ["KODO_SECRET_KEY=hunter2"] } },
  ])("refuses keys in arguments and does not repeat them: %j", (request) => {
    const message = refusal(request);
    expect(message).toMatch(/^Cannot use /);
    expect(message).not.toContain("hunter2");
  });
});
