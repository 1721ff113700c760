// The mount's socket: HTTP with JSON over a Unix socket that only its user can open.

import { chmod, rm, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import {
  type Background,
  codeOf,
  describe,
  errnoOf,
  KodomountError,
  toError,
} from "../base/mod.ts";
import { withSocketPath } from "./socket-path.ts";
import {
  ACTION_KINDS,
  type Action,
  type ControlTarget,
  type MountStatus,
  type RemoteError,
  type RestoreOrder,
  type StreamLine,
  type WarmAnswer,
  type WarmStatus,
} from "./target.ts";

export interface ControlServer {
  /** No more requests; those under way are cut off. The socket is removed. */
  close(): Promise<void>;
}

export interface ControlOptions {
  /** Path of the socket. */
  readonly socket: string;
  readonly target: ControlTarget;
  readonly background: Background;
}

/** As many paths as a command line has. */
const BODY_SIZE_MAX = 4 * 1024 * 1024;
const TYPE = { "content-type": "application/json" };

/**
 * Serves `target` until closed. A socket that a dead process left is replaced.
 * @throws `Busy` when a living process listens there.
 */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const { socket, background } = options;
  const server = createServer((request, response) => {
    background.run("a request to the control socket", () => serve(options, request, response));
  });
  // A wait may take days.
  server.requestTimeout = 0;
  await withSocketPath(socket, async (address) => {
    await removeStale(address, socket);
    await listen(server, address);
    await chmod(address, 0o600);
  });
  return {
    async close() {
      await close(server);
      // Node removes it by the address that it listened at, which may have been a short one.
      await rm(socket, { force: true });
    },
  };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new KodomountError("Io", "Cannot open the control socket", { cause: error })),
    );
    server.listen(address, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}

async function removeStale(address: string, socket: string): Promise<void> {
  if (await isAlive(address))
    throw new KodomountError(
      "Busy",
      `Another process listens at ${socket}: the state directory is in use`,
    );
  try {
    await unlink(address);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw toError(error);
  }
}

function isAlive(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(address);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    // Nobody there, or no such file: both mean that nobody is disturbed.
    connection.once("error", () => resolve(false));
  });
}

async function serve(
  options: ControlOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A client that goes away in the middle is not our failure.
  response.on("error", () => undefined);
  const { target } = options;
  const url = new URL(request.url ?? "/", "http://kodomount");
  try {
    switch (`${request.method} ${url.pathname}`) {
      case "GET /status":
        return answer(response, 200, target.status());
      case "GET /uploads":
        return answer(response, 200, target.uploads());
      case "POST /act":
        await target.act(parseAction(await readBody(request)));
        return answer(response, 200, {});
      case "GET /wait": {
        const path = url.searchParams.get("path") ?? undefined;
        return await stream(response, (onWaiting, signal) =>
          target.waitFor(path, onWaiting, signal),
        );
      }
      case "POST /warm": {
        const paths = parsePaths(await readBody(request));
        return await stream<WarmAnswer, WarmStatus>(response, (onWarming, signal) =>
          target.warm(paths, onWarming, signal),
        );
      }
      case "GET /archive": {
        const path = url.searchParams.get("path") ?? "";
        return await stream(response, (_, signal) => target.archive(path, signal));
      }
      case "POST /restore": {
        const order = parseRestore(url.searchParams);
        return await stream(response, (_, signal) => target.restore(order, signal));
      }
      case "POST /stop": {
        const wait = url.searchParams.get("wait") === "true";
        return await stream(response, (onWaiting, signal) =>
          target.stop({ wait }, onWaiting, signal),
        );
      }
      default:
        throw new KodomountError(
          "NotFound",
          `The mount does not know '${request.method} ${url.pathname}': it is of another version`,
        );
    }
  } catch (error) {
    answer(response, error instanceof KodomountError ? 400 : 500, { error: toRemote(error) });
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, TYPE).end(JSON.stringify(body));
}

/** Sends what is waited for as it changes, then the result. A client that hangs up ends the wait. */
async function stream<Result, Progress = MountStatus>(
  response: ServerResponse,
  task: (onProgress: (now: Progress) => void, signal: AbortSignal) => Promise<Result>,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, TYPE);
  response.flushHeaders();
  const send = (line: StreamLine<Result, Progress>): boolean =>
    response.write(`${JSON.stringify(line)}\n`);
  try {
    send({ result: await task((waiting) => send({ waiting }), gone.signal) });
  } catch (error) {
    send({ error: toRemote(error) });
  }
  if (gone.signal.aborted) return;
  // Sent, or the client is gone: what ends after this may close the connection.
  await new Promise<void>((resolve) => {
    response.once("close", resolve);
    response.end(resolve);
  });
}

function toRemote(error: unknown): RemoteError {
  return { code: codeOf(error), message: describe(error) };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > BODY_SIZE_MAX) throw new KodomountError("Invalid", "The request is too large");
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw new KodomountError("Invalid", "The request is not JSON", { cause: error });
  }
}

function parsePaths(input: unknown): string[] {
  if (Array.isArray(input) && input.every((each) => typeof each === "string")) return input;
  throw new KodomountError("Invalid", "The request must be a list of paths");
}

function parseRestore(given: URLSearchParams): RestoreOrder {
  const days = Number(given.get("days"));
  if (!Number.isInteger(days) || days < 1)
    throw new KodomountError("Invalid", "An order to restore has the number of days");
  return { path: given.get("path") ?? "", days };
}

function parseAction(input: unknown): Action {
  if (typeof input === "object" && input !== null && "kind" in input && "save" in input) {
    const { kind: given, save } = input;
    const kind = ACTION_KINDS.find((each) => each === given);
    if (kind !== undefined && typeof save === "string") return { kind, save };
  }
  throw new KodomountError(
    "Invalid",
    `An action has a kind (${ACTION_KINDS.join(", ")}) and a save`,
  );
}
