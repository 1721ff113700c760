// Small pieces of the commands: the channel to the mount's process, advice, taking down.

import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { KodomountError } from "../../../src/base/mod.ts";
import { explainAccess } from "../../../src/cli/access.ts";
import { readAnswer, receive, send, toAnswer } from "../../../src/cli/channel.ts";
import { Drawing } from "../../../src/cli/terminal.ts";
import { Undo } from "../../../src/cli/undo.ts";
import { load } from "../config/load.ts";

describe("the channel", () => {
  it("carries one message, in however many pieces it comes", async () => {
    const channel = new PassThrough();
    const received = receive(channel);
    channel.write('{"a":');
    await send(channel, {}).catch(() => undefined);
    channel.write("");
    const whole = new PassThrough();
    await send(whole, { a: "ä" });
    expect(await receive(whole)).toEqual({ a: "ä" });
    await expect(received).rejects.toMatchObject({
      code: "Invalid",
      message: "The other process sent no JSON",
    });
  });

  it("tells that the other side ended", async () => {
    const channel = new PassThrough();
    channel.end('{"half":');
    expect(await receive(channel)).toBeUndefined();
  });

  it("carries errors with their codes", () => {
    expect(() => readAnswer(toAnswer(new KodomountError("Busy", "In use")))).toThrow(
      expect.objectContaining({ code: "Busy", message: "In use" }),
    );
    expect(readAnswer({ ready: { pid: 7, pending: 2 } })).toEqual({ pid: 7, pending: 2 });
  });
});

describe("explainAccess", () => {
  const config = load({});
  it.each([
    [
      "BadCredentials",
      "https://s3.cn-east-1.qiniucs.com does not accept the keys of the environment: check that they are complete, and of this store",
    ],
    [
      "AccessDenied",
      "The keys of the environment may not list bucket 'models': give them the right to, or use others",
    ],
    [
      "NoSuchBucket",
      "There is no bucket 'models' at https://s3.cn-east-1.qiniucs.com: check its name (the 'S3 bucket name' of the console, which may differ from the bucket's own) and the region",
    ],
    [
      "WrongRegion",
      "Bucket 'models' is not in region 'cn-east-1' of https://s3.cn-east-1.qiniucs.com: give the right '--endpoint' and '--region'",
    ],
    [
      "ClockSkewed",
      "The clock of this machine and that of https://s3.cn-east-1.qiniucs.com differ too much: set it right (timedatectl set-ntp true)",
    ],
    [
      "Unreachable",
      "https://s3.cn-east-1.qiniucs.com cannot be reached: check '--endpoint', the network and the name server",
    ],
    [
      "TimedOut",
      "https://s3.cn-east-1.qiniucs.com does not answer: check '--endpoint', the network and firewalls",
    ],
  ] as const)("gives advice for %s", (code, message) => {
    const cause = new KodomountError(code, "LIST: 403 of the store");
    expect(explainAccess(cause, config)).toMatchObject({ code, message, cause });
  });

  it("leaves everything else as it is", () => {
    const error = new KodomountError("Rejected", "What is this");
    expect(explainAccess(error, config)).toBe(error);
  });
});

describe("Drawing", () => {
  it("is drawn over and gone at the end", () => {
    let out = "";
    const drawing = new Drawing({
      out: (text) => (out += text),
      err: () => undefined,
      isScreen: true,
      size: () => ({ columns: 80, rows: 24 }),
    });
    drawing.clear();
    drawing.show(["a", "b"]);
    drawing.show(["c"]);
    drawing.clear();
    drawing.clear();
    expect(out).toBe("a\nb\n\x1b[2F\x1b[Jc\n\x1b[1F\x1b[J");
  });
});

describe("Undo", () => {
  it("stops in reverse order, once, and all of it though one step fails", async () => {
    const order: number[] = [];
    const undo = new Undo();
    undo.add(() => void order.push(1));
    undo.add(() => Promise.reject(new Error("two")));
    undo.add(() => void order.push(3));
    await expect(undo.run()).rejects.toThrow("two");
    await undo.run();
    expect(order).toEqual([3, 1]);
  });
});
