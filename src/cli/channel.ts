// What the commanding process and the mount's process say to each other at the start, over one socket pair: the
// configuration one way (it has keys in it, so neither arguments nor environment will do), one answer the other way.

import type { Duplex } from "node:stream";
import { CODES, codeOf, KodomountError } from "../base/mod.ts";
import { sentenceOf } from "./terminal.ts";

/** The variable that tells the child which descriptor the channel is. */
export const CHANNEL_VARIABLE = "KODOMOUNT_CHANNEL";
/** First descriptor after the standard ones. */
export const CHANNEL_DESCRIPTOR = 3;

export type Answer =
  | { readonly ready: { readonly pid: number; readonly pending: number } }
  | { readonly error: { readonly code: string; readonly message: string } };

/** Bytes of a message at most: a configuration or an answer has a few hundred. */
const MESSAGE_SIZE_MAX = 1024 * 1024;

/** One JSON line. */
export function send(channel: Duplex, message: object): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.write(`${JSON.stringify(message)}\n`, (error) =>
      error
        ? reject(new KodomountError("Io", "The other process is gone", { cause: error }))
        : resolve(),
    );
  });
}

/** The next JSON line, or undefined when the other side ended before one was complete. */
export function receive(channel: Duplex): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = "";
    const done = (value: unknown): void => {
      channel.off("data", onData).off("end", onEnd).off("error", onEnd);
      resolve(value);
    };
    const onEnd = (): void => done(undefined);
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("utf8");
      const end = text.indexOf("\n");
      if (end < 0 && text.length < MESSAGE_SIZE_MAX) return;
      try {
        done(JSON.parse(text.slice(0, end)));
      } catch (error) {
        // The text is not repeated: it may be a configuration.
        reject(
          new KodomountError("Invalid", "The other process sent no JSON", { cause: codeOf(error) }),
        );
      }
    };
    channel.on("data", onData).on("end", onEnd).on("error", onEnd);
  });
}

export function toAnswer(error: unknown): Answer {
  return { error: { code: codeOf(error), message: sentenceOf(error) } };
}

/** What the mount's process answered. @throws its error, or `Io` when it is no answer. */
export function readAnswer(message: unknown): { pid: number; pending: number } {
  const answer = message as Answer;
  if ("ready" in answer) return answer.ready;
  const { code, message: text } = answer.error;
  throw new KodomountError(CODES.find((each) => each === code) ?? "Io", text);
}
