// The other end of the socket: what the commands ask of a running mount.

import { request as httpRequest, type IncomingMessage } from "node:http";
import path from "node:path";
import { CODES, errnoOf, KodomountError, toError } from "../base/mod.ts";
import { withSocketPath } from "./socket-path.ts";
import type {
  Action,
  ArchiveStatus,
  MountStatus,
  OnWaiting,
  OnWarming,
  RemoteError,
  RestoreOrder,
  StreamLine,
  UploadStatus,
  WarmAnswer,
} from "./target.ts";

/** A mount answers at once, unless it hangs. */
const ANSWER_MS = 10_000;

export class ControlClient {
  readonly #socket: string;

  /** @param stateDir of the mount. Nothing is connected before the first request. */
  constructor(stateDir: string) {
    this.#socket = controlSocket(stateDir);
  }

  status(): Promise<MountStatus> {
    return this.#ask("GET", "/status");
  }

  uploads(): Promise<UploadStatus[]> {
    return this.#ask("GET", "/uploads");
  }

  async act(action: Action): Promise<void> {
    await this.#ask("POST", "/act", action);
  }

  /** As `ControlTarget.archive`. */
  archive(path: string, signal: AbortSignal): Promise<ArchiveStatus> {
    const target = `/archive?path=${encodeURIComponent(path)}`;
    return this.#stream({ method: "GET", target, signal }, () => undefined);
  }

  /** As `ControlTarget.restore`. */
  restore({ path, days }: RestoreOrder, signal: AbortSignal): Promise<ArchiveStatus[]> {
    const target = `/restore?days=${days}&path=${encodeURIComponent(path)}`;
    return this.#stream({ method: "POST", target, signal }, () => undefined);
  }

  /** As `ControlTarget.waitFor`. Aborting `signal` ends the wait, not what is waited for. */
  waitFor(
    below: string | undefined,
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ failed: string[] }> {
    const query = below === undefined ? "" : `?path=${encodeURIComponent(below)}`;
    return this.#stream({ method: "GET", target: `/wait${query}`, signal }, onWaiting);
  }

  /** As `ControlTarget.warm`. Aborting `signal` ends it. */
  warm(paths: readonly string[], onWarming: OnWarming, signal: AbortSignal): Promise<WarmAnswer> {
    return this.#stream({ method: "POST", target: "/warm", body: paths, signal }, onWarming);
  }

  /** As `ControlTarget.stop`. */
  stop(
    options: { readonly wait: boolean },
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ left: string[] }> {
    return this.#stream(
      { method: "POST", target: `/stop?wait=${options.wait}`, signal },
      onWaiting,
    );
  }

  async #ask<T>(method: string, target: string, body?: object): Promise<T> {
    const response = await this.#send({ method, target, body });
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const answer: unknown = parseLine(text);
    throwError(answer);
    return answer as T;
  }

  async #stream<T, Progress>(
    request: { method: string; target: string; body?: object; signal: AbortSignal },
    onProgress: (now: Progress) => void,
  ): Promise<T> {
    try {
      const response = await this.#send(request);
      let rest = "";
      for await (const chunk of response.setEncoding("utf8")) {
        const lines = `${rest}${chunk}`.split("\n");
        rest = lines.pop() ?? "";
        for (const text of lines) {
          const line = parseLine(text) as StreamLine<T, Progress>;
          if ("waiting" in line) onProgress(line.waiting);
          else if ("result" in line) return line.result;
          else throwError(line);
        }
      }
      if (rest !== "") throwError(parseLine(rest));
    } catch (error) {
      if (request.signal.aborted)
        throw new KodomountError("Interrupted", "The wait was interrupted", { cause: error });
      throw error instanceof KodomountError ? error : died(error);
    }
    throw died(undefined);
  }

  /** The answer's head comes at once, whatever its body waits for: `TimedOut` means that the process hangs. */
  #send(request: {
    method: string;
    target: string;
    body?: object | undefined;
    signal?: AbortSignal;
  }): Promise<IncomingMessage> {
    const { method, target, body, signal } = request;
    return withSocketPath(
      this.#socket,
      (socketPath) =>
        new Promise((resolve, reject) => {
          // No agent: it would keep a connection under an address that is another mount's later.
          const options = {
            socketPath,
            method,
            path: target,
            agent: false,
            ...(signal && { signal }),
          };
          const sent = httpRequest(options, (response) => {
            sent.setTimeout(0);
            resolve(response);
          });
          sent.setTimeout(ANSWER_MS, () =>
            sent.destroy(
              new KodomountError("TimedOut", "The mount's process does not answer: it hangs"),
            ),
          );
          sent.once("error", (error) =>
            reject(error instanceof KodomountError ? error : notReached(error)),
          );
          sent.end(body === undefined ? undefined : JSON.stringify(body));
        }),
    );
  }
}

/** Where a mount with that state directory listens. */
export function controlSocket(stateDir: string): string {
  return path.join(stateDir, "control.sock");
}

/** `Stale` when nobody listens: the process is dead, or is going. */
function notReached(error: Error): KodomountError {
  const errno = errnoOf(error);
  if (errno === "ECONNREFUSED" || errno === "ENOENT" || errno === "ECONNRESET")
    return new KodomountError("Stale", "The mount's process is not there", { cause: error });
  if (errno === "EACCES" || errno === "EPERM")
    return new KodomountError("NotPermitted", "The mount belongs to another user", {
      cause: error,
    });
  return new KodomountError("Io", "The mount's process cannot be asked", { cause: error });
}

function died(cause: unknown): KodomountError {
  return new KodomountError("Stale", "The mount's process died while it was asked", {
    cause: cause === undefined ? undefined : toError(cause),
  });
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw died(error);
  }
}

/** An error of the other side becomes one of this side. */
function throwError(answer: unknown): void {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return;
  const { code, message } = answer.error as RemoteError;
  throw new KodomountError(CODES.find((each) => each === code) ?? "Io", String(message));
}
