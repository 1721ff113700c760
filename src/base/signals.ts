// Abort signals that many wait for.

import { setMaxListeners } from "node:events";
import { KodomountError } from "./error.ts";

/** A signal that aborts with the first of `signals`; any number may listen to it. */
export function anySignal(...signals: readonly AbortSignal[]): AbortSignal {
  const any = AbortSignal.any([...signals]);
  setMaxListeners(0, any);
  return any;
}

/** A controller whose signal any number may listen to: Node warns of a leak at the eleventh otherwise. */
export function newAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** What `promise` gives; rejects with `Interrupted` when `signal` aborts first, and `promise` goes on. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new KodomountError("Interrupted", "The wait was interrupted"));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
