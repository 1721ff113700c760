// What the connections of a store have carried: for deciding how many of them pay. Bytes count when the peer's kernel has
// acknowledged them; what lies in buffers on this side tells nothing about the link.

import type { Socket } from "node:net";
import type { Clock } from "../base/mod.ts";
import { SendQueues } from "./send-queue.ts";

export class Traffic {
  readonly #clock: Clock;
  readonly #queues: SendQueues;
  /** Bytes of each open connection, as of the last reading. */
  readonly #open = new Map<Socket, number>();
  /** Of those that are closed. */
  #closed = 0;
  #lost = 0;
  #tripMs: number | undefined;
  #isLossTolerant = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#queues = new SendQueues(clock);
  }

  get queues(): SendQueues {
    return this.#queues;
  }

  /** The shortest time that a connection took to open, milliseconds. */
  get tripMs(): number | undefined {
    return this.#tripMs;
  }

  /** Attempts that ended with their connection. */
  get lost(): number {
    return this.#lost;
  }

  /** Whether connections have a congestion control that takes no loss for a full link. */
  get isLossTolerant(): boolean {
    return this.#isLossTolerant;
  }

  /**
   * A connection that a request has got; more than once for one that is kept.
   * @param onConnect called when it has opened, with the shortest time that this has taken so far; returns whether the
   * connection is tolerant of losses.
   */
  add(socket: Socket, onConnect: (tripMs: number) => boolean): void {
    if (this.#open.has(socket)) return;
    this.#open.set(socket, 0);
    let since = this.#clock.monotonic();
    // The name's look-up is no round trip to the store.
    socket.once("lookup", () => {
      since = this.#clock.monotonic();
    });
    socket.once("connect", () => {
      const tripMs = this.#clock.monotonic() - since;
      this.#tripMs = Math.min(this.#tripMs ?? tripMs, tripMs);
      this.#isLossTolerant = onConnect(this.#tripMs);
    });
    socket.once("close", () => {
      this.#closed += this.#open.get(socket) ?? 0;
      this.#open.delete(socket);
    });
  }

  /** An attempt has ended with its connection. */
  lose(): void {
    this.#lost += 1;
  }

  /** Bytes that were acknowledged so far. Where the kernel does not tell, those that it has taken. */
  async acknowledged(): Promise<number> {
    for (const socket of [...this.#open.keys()]) {
      const taken = takenByKernel(socket);
      const waiting = (await this.#queues.of(socket)) ?? 0;
      const before = this.#open.get(socket);
      // The two are not read at one moment, and what was acknowledged stays so.
      if (before !== undefined) this.#open.set(socket, Math.max(before, taken - waiting));
    }
    let sum = this.#closed;
    for (const bytes of this.#open.values()) sum += bytes;
    return sum;
  }
}

/** Bytes that the kernel has taken. Node has the exact numbers on the handle only: what it was given, and what of it waits. */
function takenByKernel(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return 0;
  const [given, waits] = [
    Reflect.get(handle, "bytesWritten"),
    Reflect.get(handle, "writeQueueSize"),
  ];
  return Number(given ?? 0) - Number(waits ?? 0);
}
