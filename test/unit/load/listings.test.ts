// Listings over pages that a test makes up.

import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/mod.ts";
import { type ListingPart, Listings } from "../../../src/load/listings.ts";
import { toEtag, toKey } from "../../../src/model/mod.ts";
import type { ListPage, ListRequest, ObjectStore } from "../../../src/store/mod.ts";

const signal = new AbortController().signal;
const DIRECTORY = toKey("d/");

function page(
  names: readonly string[],
  token?: string,
  prefixes: readonly string[] = [],
): ListPage {
  return {
    objects: names.map((name) => ({
      key: toKey(`d/${name}`),
      etag: toEtag('"1"'),
      size: 1,
      lastModifiedMs: 0,
      storageClass: undefined,
    })),
    prefixes: prefixes.map((name) => toKey(`d/${name}/`)),
    token,
  };
}

function begin(pages: Readonly<Record<string, ListPage>>, warned: object[] = []) {
  const list = async ({ token }: ListRequest): Promise<ListPage> =>
    pages[token ?? "first"] ?? page([]);
  const log = { ...silentLog, warn: (fields: object) => void warned.push(fields) };
  return new Listings({ list } as unknown as ObjectStore, log, 1000);
}

async function partsOf(listings: Listings): Promise<ListingPart[]> {
  const parts: ListingPart[] = [];
  await listings.all(DIRECTORY, signal, async (part) => void parts.push(part));
  return parts;
}

describe("Listings", () => {
  test("give each page as it comes, and all at once when they are known", async () => {
    const listings = begin({ first: page(["a"], "2"), "2": page(["b"], undefined, ["sub"]) });
    const parts = await partsOf(listings);
    expect(parts.map((part) => [...part.files.keys(), ...part.directories])).toEqual([
      ["a"],
      ["b", "sub"],
    ]);
    expect(listings.isLarge(DIRECTORY)).toBe(true);
    const [known, ...more] = await partsOf(listings);
    expect([[...(known?.files.keys() ?? [])], more]).toEqual([["a", "b"], []]);
  });

  test.each([
    ["repeats its token", { first: page(["a"], "2"), "2": page(["b"], "2") }],
    ["goes round", { first: page(["a"], "2"), "2": page(["b"], "3"), "3": page(["c"], "2") }],
  ])("S7.7 a listing that %s is an error", async (_, pages) => {
    const listings = begin(pages);
    await expect(partsOf(listings)).rejects.toMatchObject({
      code: "Rejected",
      message: expect.stringContaining("in a circle") as unknown,
    });
  });

  test("S7.6 keys that cannot be file names are left out, with one line for the directory", async () => {
    const warned: object[] = [];
    const listings = begin({ first: page(["a", "", "..", "x".repeat(300)]) }, warned);
    const [part] = await partsOf(listings);
    expect([...(part?.files.keys() ?? [])]).toEqual(["a"]);
    listings.forget(DIRECTORY);
    await partsOf(listings);
    expect(warned).toHaveLength(1);
  });
});
