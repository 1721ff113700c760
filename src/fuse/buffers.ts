// The large buffers that requests are read into. A WRITE keeps the one it came in until it is answered, so that its bytes
// are not copied; everything else is copied out at once, or answered before the next read.
//
// How many there may be, and why reading never stops: a WRITE may wait for hours (the spill is full, the network is down),
// and as many of them may wait as there are threads in write(2). The kernel hands out one request a read, of whatever
// kind, so who stops reading for want of a buffer does not see the FLUSH that would bring relief, nor the INTERRUPT that
// Ctrl-C sends: the mount, and every process in it, would hang unkillably. So a reader always keeps its buffer. When none
// is left to take its place, `take` says so, and the session drops the bytes of that WRITE and answers EINTR as soon as
// another one is done: programs then write again (`cp`, `dd`, Python, Go and Rust do so by themselves).
// Pages that the kernel writes back have nobody who could do it again: for them `COUNT_RESERVED` more are kept. There are
// never more of those under way than INIT allows.

import { BACKGROUND_MAX } from "./init.ts";
import { MESSAGE_SIZE_MAX } from "./layout.ts";

/** Programs that write at once and are all waited for without being asked to try again: 128 MiB. */
const COUNT_MAX = 128;
const COUNT_RESERVED = BACKGROUND_MAX;
/** Kept for the next request; what is above that was for a burst, and is given back to the machine. */
const COUNT_KEPT = 16;

export class Buffers {
  readonly #free: Buffer[] = [];
  readonly #countMax: number;
  /** How many exist, free or not. */
  #count = 0;

  constructor(countMax: number = COUNT_MAX) {
    this.#countMax = countMax;
  }

  /** A buffer of `MESSAGE_SIZE_MAX`, or undefined when too many are in use. @param reserved for pages written back. */
  take(reserved: boolean): Buffer | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count >= this.#countMax + (reserved ? COUNT_RESERVED : 0)) return undefined;
    this.#count += 1;
    // Filled, so that the pages exist: a SIGKILL during a page fault inside the kernel's copy would end the request with EIO.
    return Buffer.alloc(MESSAGE_SIZE_MAX, 1);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < COUNT_KEPT) this.#free.push(buffer);
    else this.#count -= 1;
  }
}
