// What INIT agrees on.

import { describe, expect, it } from "vitest";
import { decodeInit, encodeInit, negotiate } from "../../../src/fuse/init.ts";
import { struct } from "./struct.ts";

const INIT_EXT = 2 ** 30;

function offer(minor: number, flags: number, flags2: number): Buffer {
  const head = struct(["u32", 7], ["u32", minor], ["u32", 131072], ["u32", flags], ["u32", flags2]);
  return Buffer.concat([head, Buffer.alloc(44)]);
}

describe("INIT", () => {
  it("takes of everything offered only what is wanted", () => {
    const agreed = negotiate(decodeInit(offer(45, 0xffffffff, 0xffffffff)));
    const bits = [...Array(64).keys()].filter((bit) => ((agreed.flags >> BigInt(bit)) & 1n) === 1n);
    expect(bits).toEqual([0, 3, 5, 12, 13, 14, 18, 22, 28, 30, 36, 39]);
  });

  it("asks for nothing that is not offered", () => {
    expect(negotiate(decodeInit(offer(36, 1, 0))).flags).toBe(1n);
  });

  it("does not believe flags2 without INIT_EXT", () => {
    expect(negotiate(decodeInit(offer(45, 1, 0xffffffff))).flags).toBe(1n);
  });

  it("speaks no newer version than it knows", () => {
    expect(negotiate(decodeInit(offer(99, 0, 0))).minor).toBe(45);
    expect(negotiate(decodeInit(offer(31, 0, 0))).minor).toBe(31);
  });

  it("refuses kernels below 7.31 with a sentence that says so", () => {
    expect(() => negotiate(decodeInit(offer(30, 0, 0)))).toThrow(
      expect.objectContaining({ code: "Config", message: expect.stringContaining("7.30") }),
    );
  });

  it("replies with the 64 bytes of fuse_init_out", () => {
    const reply = encodeInit(negotiate(decodeInit(offer(45, 0xffffffff, 0xffffffff))));
    const low = [0, 3, 5, 12, 13, 14, 18, 22, 28].reduce((all, bit) => all + 2 ** bit, INIT_EXT);
    expect(reply).toEqual(
      Buffer.concat([
        struct(["u32", 7], ["u32", 45], ["u32", 131072], ["u32", low], ["u16", 64], ["u16", 48]),
        struct(["u32", 1048576], ["u32", 1], ["u16", 256], ["u16", 0], ["u32", 2 ** 4 + 2 ** 7]),
        Buffer.alloc(28),
      ]),
    );
    expect(reply.length).toBe(64);
  });
});
