// Bodies on their way to the store, as the SDK takes them, and the hash that is signed with them.

import type { PutObjectCommandInput, StorageClass } from "@aws-sdk/client-s3";
import type { Sha256 } from "../model/mod.ts";
import { FileBody } from "./file-body.ts";
import type { Body } from "./object-store.ts";

/** The fields of a command that carry the body. */
export function toBody(
  body: Body,
): Required<Pick<PutObjectCommandInput, "Body" | "ContentLength">> {
  if (body.kind === "bytes") return { Body: body.bytes, ContentLength: body.bytes.length };
  // Our transport knows the class; the SDK looks at its `byteLength` at most, and has no type for a body that is none of its own.
  const file: unknown = new FileBody(body.path, body.size);
  return { Body: file as Uint8Array, ContentLength: body.size };
}

/** The field of a command that says of which class the object is to be; the SDK knows the names of one provider only. */
export function toClass(
  storageClass: string | undefined,
): Pick<PutObjectCommandInput, "StorageClass"> {
  if (storageClass === undefined) return {};
  const name: unknown = storageClass;
  return { StorageClass: name as StorageClass };
}

/** A command of the SDK, as far as it is looked at here. */
interface Hashable {
  readonly middlewareStack: {
    add(
      middleware: <Args extends { readonly request: unknown }, Output>(
        next: (args: Args) => Output,
      ) => (args: Args) => Output,
      options: { step: "build"; name: string; priority: "low" },
    ): void;
  };
}

/** The hash that the signature covers: the server refuses any other body, and the SDK hashes nothing itself. */
export function withHash<C extends Hashable>(command: C, sha256: Sha256): C {
  command.middlewareStack.add(
    (next) => (args) => {
      if (hasHeaders(args.request)) args.request.headers["x-amz-content-sha256"] = sha256;
      return next(args);
    },
    { step: "build", name: "kodomountPayloadHash", priority: "low" },
  );
  return command;
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}
