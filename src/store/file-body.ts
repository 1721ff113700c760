// A request's body that is read from a file while it is sent: a part costs two pieces of memory, not its own size.

import { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { ClientRequest } from "node:http";
import { errnoOf, KodomountError } from "../base/mod.ts";
import { Pieces } from "./pieces.ts";

/** Of all requests of this thread. */
const pieces = new Pieces();

/** The first `byteLength` bytes of a file. A plain object: the SDK passes it through untouched and never hashes it. */
export class FileBody {
  readonly file: string;
  readonly byteLength: number;

  constructor(file: string, byteLength: number) {
    this.file = file;
    this.byteLength = byteLength;
  }
}

/** How far the body of a request has got. */
export interface Sending {
  /** Set by whoever sees that the rest is not wanted any more: the reply has come, and it is a refusal. */
  unwanted: boolean;
  /** All of it was handed to the connection. */
  handedOver: boolean;
}

/** Writes the body and ends the request. @throws `Corrupt` when the file is gone or shorter; what the connection says. */
export async function writeBody(
  request: ClientRequest,
  body: unknown,
  sending: Sending,
): Promise<void> {
  if (body instanceof FileBody) {
    await using file = await openFile(body);
    return await writeFile(request, { file, body }, sending);
  }
  sending.handedOver = true;
  if (body === undefined || body === null) request.end();
  else if (typeof body === "string" || body instanceof Uint8Array) request.end(body);
  else throw new KodomountError("Programmer", "A body is bytes or a file");
}

/**
 * Piece by piece, the next one is read while the one before goes out: it blocks the thread for as long as a read takes,
 * so files are sent from a worker. Waits for write callbacks and not for 'drain',
 * which never comes on a kept TLS connection when the reply overtakes it.
 */
async function writeFile(
  request: ClientRequest,
  from: { file: FileHandle; body: FileBody },
  sending: Sending,
): Promise<void> {
  const two = pieces.takeTwo();
  try {
    await writePieces(request, from, { sending, two });
    pieces.give(...two);
  } catch (error) {
    pieces.lose(two.length);
    throw error;
  }
}

async function writePieces(
  request: ClientRequest,
  { file, body }: { file: FileHandle; body: FileBody },
  { sending, two }: { sending: Sending; two: readonly [Buffer, Buffer] },
): Promise<void> {
  let written: Promise<void> = Promise.resolve();
  for (let at = 0, turn = 0; at < body.byteLength; turn ^= 1) {
    const buffer = turn === 0 ? two[0] : two[1];
    const wanted = Math.min(buffer.length, body.byteLength - at);
    // Most often from the page cache, and on a thread that has nothing else to do: handing each piece over to a thread of
    // the pool and back costs more than reading it.
    const bytesRead = readSync(file.fd, buffer, 0, wanted, at);
    if (bytesRead === 0) throw shorter(body);
    await written;
    if (sending.unwanted) break;
    at += bytesRead;
    sending.handedOver = at === body.byteLength;
    written = write(request, buffer.subarray(0, bytesRead));
    // Awaited in the next turn, or below; until then its failure would count as unhandled.
    written.catch(() => {});
  }
  await written;
  if (!sending.unwanted || sending.handedOver) request.end();
}

function write(request: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (request.destroyed)
      return reject(new KodomountError("Unreachable", "the connection is gone"));
    request.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function openFile(body: FileBody): Promise<FileHandle> {
  try {
    return await open(body.file, "r");
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    throw new KodomountError("Corrupt", `The file ${body.file} is gone`, { cause: error });
  }
}

function shorter(body: FileBody): KodomountError {
  return new KodomountError(
    "Corrupt",
    `The file ${body.file} is shorter than the ${body.byteLength} bytes that were to be sent`,
  );
}
