// The catalog's codec: what was encoded comes back, every other text is refused. Records of any content survive.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CODES, codeOf } from "../../src/base/mod.ts";
import { decode, encode } from "../../src/catalog/codec.ts";
import { crc32c } from "../../src/catalog/crc32c.ts";
import {
  parseAck,
  parseObject,
  parsePart,
  parseReply,
  parseSave,
  parseUpload,
  parseWant,
} from "../../src/catalog/parse.ts";
import { check } from "../support/seed.ts";

/** Any text, also with characters beyond the first plane, quotes and control characters. */
const text = fc.string({ unit: "binary", maxLength: 40 });
const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(..."0123456789abcdef".split("")),
    minLength: digits,
    maxLength: digits,
  });
const size = fc.maxSafeNat();
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const code = fc.constantFrom(...CODES);
const plan = fc.record({
  tiers: fc.array(fc.record({ count: fc.integer({ min: 1 }), size: fc.integer({ min: 1 }) }), {
    maxLength: 6,
  }),
});
const attributes = fc.record({ mode: fc.nat(), uid: fc.nat(), gid: fc.nat(), mtimeMs: number });
const closing = { size, closedAt: number, order: fc.nat() };
const state = fc.oneof(
  fc.record({ kind: fc.constant("open") }),
  fc.record({ kind: fc.constant("refused"), why: code }),
  fc.record({ kind: fc.constant("closed"), ...closing }),
  fc.record({ kind: fc.constant("completing"), ...closing, token: text }),
  fc.record({ kind: fc.constant("parked"), ...closing, why: code }),
  fc.record({ kind: fc.constant("interrupted"), since: number, size }),
);
const partNumber = fc.integer({ min: 1, max: 10_000 });

const KINDS: [string, (value: unknown) => unknown, fc.Arbitrary<unknown>][] = [
  [
    "save",
    parseSave,
    fc.record({
      id: hex(16),
      key: text,
      ino: fc.integer({ min: 1 }),
      base: fc.oneof(
        fc.record({ kind: fc.constant("absent") }),
        fc.record({ kind: fc.constant("object"), etag: text, size }),
      ),
      attributes,
      size,
      fsynced: fc.boolean(),
      tokens: fc.array(text),
      state,
    }),
  ],
  [
    "part",
    parsePart,
    fc.record({
      save: hex(16),
      partNumber,
      content: fc.oneof(
        fc.record({ kind: fc.constant("base") }),
        fc.record(
          { kind: fc.constant("spill"), rev: fc.integer({ min: 1 }), size, sha256: hex(64) },
          { requiredKeys: ["kind", "rev", "size"] },
        ),
      ),
    }),
  ],
  [
    "upload",
    parseUpload,
    fc.record({
      key: text,
      uploadId: text.map((id) => `u${id}`),
      token: text,
      plan,
      createdAt: number,
      doubt: fc.boolean(),
    }),
  ],
  [
    "acknowledgement",
    parseAck,
    fc.record({ uploadId: text.map((id) => `u${id}`), partNumber, sha256: text, size, etag: text }),
  ],
  [
    "want",
    parseWant,
    fc.oneof(
      fc.record({ kind: fc.constant("absent"), etag: text }, { requiredKeys: ["kind"] }),
      fc.record({
        ...{ kind: fc.constant("attributes"), etag: text, size, attributes },
        ...{ token: text, since: number },
      }),
      fc.record(
        { kind: fc.constant("copy"), from: text, etag: text, size, attributes, order: fc.nat() },
        { requiredKeys: ["kind", "from", "etag", "size", "order"] },
      ),
    ),
  ],
  [
    "object",
    parseObject,
    fc.record(
      {
        key: text,
        etag: text,
        size,
        attributes,
        parts: fc.array(fc.record({ sha256: text, size }), { maxLength: 5 }),
        plan,
      },
      { requiredKeys: ["key", "etag", "size", "attributes", "parts"] },
    ),
  ],
  [
    "reply",
    parseReply,
    fc.record({
      unique: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
      reply: fc.record({ ino: fc.integer({ min: 1 }), handle: fc.nat() }, { requiredKeys: [] }),
    }),
  ],
];

describe("crc32c", () => {
  test("has the values of RFC 3720, appendix B.4, and of the check string", () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(ascending)).toBe(0x46dd794e);
    expect(crc32c(ascending.toReversed())).toBe(0x113fdb5c);
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });
});

describe("codec", () => {
  test.each(KINDS)("a %s comes back as it was", (_, parse, records) => {
    check(fc.tuple(text, records), ([key, record]) => {
      expect(parse(decode(key, encode(key, record)))).toEqual(record);
    });
  });

  test("every flipped bit of every byte is Corrupt, in the value and in the key", () => {
    const isCorrupt = (key: string, value: string): boolean => {
      try {
        decode(key, value);
        return false;
      } catch (error) {
        return codeOf(error) === "Corrupt";
      }
    };
    const flipped = (of: string, at: number, bit: number): string => {
      const bytes = Buffer.from(of, "latin1");
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
      return bytes.toString("latin1");
    };
    const keys = fc.string({ minLength: 1, maxLength: 20 });
    const values = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    check(fc.tuple(keys, values), ([key, record]) => {
      const value = encode(key, record);
      expect(isCorrupt(key, value)).toBe(false);
      for (let bit = 0; bit < 8; bit += 1) {
        for (let at = 0; at < value.length; at += 1)
          expect(isCorrupt(key, flipped(value, at, bit)), `value ${at}.${bit}`).toBe(true);
        for (let at = 0; at < key.length; at += 1)
          expect(isCorrupt(flipped(key, at, bit), value), `key ${at}.${bit}`).toBe(true);
      }
    });
  });

  test("a cut value is Corrupt", () => {
    const value = encode("s/1", { size: 12 });
    for (let length = 0; length < value.length; length += 1)
      expect(() => decode("s/1", value.slice(0, length))).toThrow(/damaged/);
  });

  test.each(KINDS)(
    "a %s that lacks a field or has a strange one is Corrupt, not believed",
    (_, parse, records) => {
      check(fc.tuple(records, fc.nat(), fc.anything()), ([record, index, strange]) => {
        if (typeof record !== "object" || record === null) return;
        const names = Object.keys(record);
        const name = names[index % names.length] ?? "";
        const codeFrom = (value: unknown): string => {
          try {
            parse(value);
            return "valid";
          } catch (error) {
            return codeOf(error);
          }
        };
        // An optional field may be absent, and a strange value may be a valid one: nothing else may come out of it.
        for (const changed of [
          { ...record, [name]: undefined },
          { ...record, [name]: strange },
        ])
          expect(["valid", "Corrupt"]).toContain(codeFrom(changed));
        expect(codeFrom([strange])).toBe("Corrupt");
      });
    },
  );
});
