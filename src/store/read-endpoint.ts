// GETs of content from an address of its own: a CDN or a custom domain before the bucket, which speaks plain HTTP and knows
// nothing of S3's signatures. Kodo's take a token in the URL (docs/notes/s3.md).

import { createHmac } from "node:crypto";
import { Background, KodomountError } from "../base/mod.ts";
import { classify } from "./classify.ts";
import { createClient, type StoreDeps } from "./client.ts";
import { encodeUri, HttpHandler, type Reply, type SignedRequest } from "./http-handler.ts";
import type { ByteRange, ObjectStore, StoreOptions } from "./object-store.ts";
import { type GetReply, readReply, toRange } from "./read-reply.ts";
import { Traffic } from "./traffic.ts";

export interface ReadEndpointOptions {
  /** Scheme, host and perhaps a path, without a trailing slash. A key, with the mount's prefix, follows. */
  readonly url: string;
  readonly store: StoreOptions;
}

/** Keys of an account; undefined: it is asked without any. */
type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;

const DAY_MS = 24 * 3_600_000;

/** @returns reads that are asked for once, and checked as those of the store: each reply must have the ETag. */
export function createReadEndpoint(
  { url, store }: ReadEndpointOptions,
  deps: StoreDeps,
): Pick<ObjectStore, "read"> {
  const { clock, log, traffic = new Traffic(clock) } = deps;
  const { connections, congestion = "system", provider, prefix } = store;
  const background = new Background(log);
  const handler = new HttpHandler({ clock, background, connections, congestion, traffic });
  const findKeys = provider.signsDownloads ? keysOf(store, deps) : async () => undefined;
  return {
    async read({ key, range, etag }, sink, signal) {
      const what = `GET ${key} at ${url}`;
      try {
        const address = sign(`${url}/${encodePath(prefix + key)}`, await findKeys(), clock.now());
        const reply = await handler.send(toRequest(address, range), { signal });
        await readReply({ range, etag }, toGetReply(reply), sink);
      } catch (error) {
        if (signal?.aborted)
          throw new KodomountError("Interrupted", `${what} was interrupted`, { cause: error });
        throw classify(what, error);
      }
    },
  };
}

/** Temporary keys are for S3 alone. */
function keysOf(store: StoreOptions, deps: StoreDeps): () => Promise<Keys> {
  const { credentials } = store;
  if (credentials.kind === "static")
    return async () => (credentials.sessionToken === undefined ? credentials : undefined);
  // The SDK knows how to find, and to renew, what a profile has.
  const { config } = createClient(store, deps);
  return async () => {
    const found = await config.credentials();
    return found.sessionToken === undefined ? found : undefined;
  };
}

/**
 * With Kodo's token, which is good for this address alone, until the end of the next day: the address stays the same for a
 * day, so that a CDN knows it again.
 */
function sign(address: string, keys: Keys, now: number): string {
  if (keys === undefined) return address;
  const until = ((Math.floor(now / DAY_MS) + 2) * DAY_MS) / 1000;
  const signed = `${address}?e=${until}`;
  const hash = createHmac("sha1", keys.secretAccessKey).update(signed).digest("base64");
  return `${signed}&token=${keys.accessKeyId}:${hash.replaceAll("+", "-").replaceAll("/", "_")}`;
}

function toRequest(address: string, range: ByteRange): SignedRequest {
  const { protocol, hostname, port, pathname, search } = new URL(address);
  return {
    method: "GET",
    protocol,
    hostname,
    port: port === "" ? undefined : Number(port),
    path: pathname + search,
    // What is compressed on the way has other ranges.
    headers: { host: new URL(address).host, range: toRange(range), "accept-encoding": "identity" },
  };
}

/** @throws for every status but success, as the SDK does. */
function toGetReply({ statusCode, headers, body }: Reply): GetReply {
  if (statusCode !== 200 && statusCode !== 206) {
    body.destroy();
    throw Object.assign(new Error("no success"), {
      name: "",
      $metadata: { httpStatusCode: statusCode },
    });
  }
  const length = headers["content-length"];
  return {
    Body: body,
    ETag: headers["etag"],
    ContentLength: length === undefined ? undefined : Number(length),
    ContentRange: headers["content-range"],
  };
}

function encodePath(key: string): string {
  return key.split("/").map(encodeUri).join("/");
}
