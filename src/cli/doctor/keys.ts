// Whether the keys may do all that a mount does: tried on one object under a name of its own, which is removed again.

import { createHash, randomBytes } from "node:crypto";
import { codeOf, describe, toError } from "../../base/mod.ts";
import type { MountConfig } from "../../config/mod.ts";
import { type Key, META_SAVE, ROOT_KEY, toKey, toPartNumber, toSha256 } from "../../model/mod.ts";
import { checkAccess, type ObjectStore, PROBE_PREFIX, probePayloadHash } from "../../store/mod.ts";
import { explainAccess } from "../access.ts";
import { fail, note, ok, type Said } from "./finding.ts";

/** Leaves nothing behind, or says what. */
export async function checkKeys(store: ObjectStore, config: MountConfig): Promise<Said[]> {
  try {
    await checkAccess(store);
  } catch (error) {
    return [
      fail(
        "keys",
        toError(explainAccess(error, config)).message,
        "see 'Troubleshoot' in docs/operations.md",
      ),
    ];
  }
  const key = toKey(`${PROBE_PREFIX}${randomBytes(6).toString("hex")}`);
  const found = [ok("list", "the keys may list the bucket")];
  const isThere = await tryObject(store, key, found);
  await tryUpload(store, key, found);
  if (isThere) found.push(await tryDelete(store, key));
  found.push(...(await checkHash(store)), ...(await checkProbes(store, key)));
  return found;
}

/** @returns whether the object may be there. */
async function tryObject(store: ObjectStore, key: Key, found: Said[]): Promise<boolean> {
  const bytes = randomBytes(64);
  const token = randomBytes(8).toString("hex");
  const body = { kind: "bytes", bytes } as const;
  try {
    await store.put({ key, body, sha256: sha256(bytes), metadata: { [META_SAVE]: token } });
    found.push(ok("put", `may make objects, as the probe ${key}`));
  } catch (error) {
    found.push(refused("put", "make objects", error));
    // It may be there all the same when only the answer was lost.
    return codeOf(error) !== "AccessDenied";
  }
  await attempt(found, "head", "look at objects", async () => {
    const head = await store.head(key);
    if (head?.metadata[META_SAVE] !== token || head.size !== bytes.length)
      return fail(
        "head",
        "the store does not show the object as it was made, with its metadata",
        "what is published cannot be verified there: use another store, or tell its operator",
      );
    return ok("head", "may look at objects; the store keeps their metadata");
  });
  await attempt(found, "get", "read objects", async () => {
    const got = await store.get({ key });
    return got.bytes.equals(bytes)
      ? ok("get", "may read objects")
      : fail("get", "the store gives other bytes than it was given", "do not use this store");
  });
  return true;
}

async function tryUpload(store: ObjectStore, key: Key, found: Said[]): Promise<void> {
  await attempt(found, "multipart", "make multipart uploads", async () => {
    const { uploadId } = await store.createUpload({ key, metadata: {} });
    try {
      const bytes = randomBytes(64);
      const body = { kind: "bytes", bytes } as const;
      const partNumber = toPartNumber(1);
      await store.uploadPart({ key, uploadId, partNumber, body, sha256: sha256(bytes) });
      await store.listParts({ key, uploadId });
    } finally {
      await store.abort({ key, uploadId });
    }
    return ok(
      "multipart",
      "may make uploads, list their parts and abort them; the probe's is aborted",
    );
  });
}

async function tryDelete(store: ObjectStore, key: Key): Promise<Said> {
  try {
    await store.delete(key);
    return ok("delete", `may delete objects; the probe ${key} is deleted`);
  } catch (error) {
    return fail(
      "delete",
      `the probe ${key} is left in the bucket: ${describe(error)}`,
      "delete it by hand, and give the keys the right to delete: renames and removals need it",
    );
  }
}

async function checkHash(store: ObjectStore): Promise<Said[]> {
  try {
    const verdict = await probePayloadHash(store);
    return [
      verdict === "verified"
        ? ok("hashes", "the store refuses a body that is not what was signed")
        : note(
            "hashes",
            "the store takes a body that is not what was signed: damage on the way would not be noticed",
            "use https://, which notices it on the way",
          ),
    ];
  } catch (error) {
    return [note("hashes", `whether the store checks bodies is not known: ${describe(error)}`)];
  }
}

/** What an earlier look was killed before it could delete. */
async function checkProbes(store: ObjectStore, own: Key): Promise<Said[]> {
  try {
    const { objects } = await store.list({
      prefix: toKey(ROOT_KEY + PROBE_PREFIX),
      delimiter: false,
    });
    const left = objects.filter(({ key }) => key !== own);
    if (left.length === 0) return [];
    return [
      note(
        "probes",
        `${left.length} probes of earlier looks are in the bucket, the first is ${left[0]?.key}`,
        "delete them by hand",
      ),
    ];
  } catch (error) {
    return [note("probes", `whether probes are left is not known: ${describe(error)}`)];
  }
}

async function attempt(
  found: Said[],
  check: string,
  what: string,
  task: () => Promise<Said>,
): Promise<void> {
  try {
    found.push(await task());
  } catch (error) {
    found.push(refused(check, what, error));
  }
}

function refused(check: string, what: string, error: unknown): Said {
  return fail(
    check,
    `cannot ${what}: ${describe(error)}`,
    codeOf(error) === "AccessDenied"
      ? `give the keys the right to ${what}; without it only '--read-only' mounts work`
      : "try again; if it stays, ask the store's operator",
  );
}

function sha256(bytes: Buffer): ReturnType<typeof toSha256> {
  return toSha256(createHash("sha256").update(bytes).digest("hex"));
}
