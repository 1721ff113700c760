// Faults to order: what shall go wrong with the next requests of a kind, and how often it has.

import { KodomountError } from "../base/mod.ts";
import { ODDITIES, type Oddity } from "./odd-reply.ts";
import { OPERATION_KINDS, type OperationKind, type Target } from "./target.ts";

export type Fault =
  /** An error instead of the work, sent at once. */
  | { readonly kind: "status"; readonly status: number; readonly code?: string }
  /**
   * The connection is reset before the body is read, or after so many bytes of it; in a GetObject the bytes of the reply
   * count. A body that is shorter is reset at its end.
   */
  | { readonly kind: "reset"; readonly afterBytes?: number }
  /** Never answers; with `afterBytes` stops reading there, in a GetObject stops sending there. */
  | { readonly kind: "stall"; readonly afterBytes?: number }
  /** The work is done, then the connection is reset instead of an answer. */
  | { readonly kind: "lost-reply" }
  /** The work is done so much later. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The body is taken in, the connection reset, and the work done so much later: behind what was asked meanwhile. */
  | { readonly kind: "late"; readonly delayMs: number }
  /** Status 200 with an error in the body, as S3 does when a complete or copy fails late; the work is not done. */
  | { readonly kind: "error-in-200"; readonly code: string }
  /** The upload of the request is gone, as after its expiry. */
  | { readonly kind: "no-such-upload" }
  /** The reply of a GetObject ends after so many bytes, in an orderly way, whatever length was announced. */
  | { readonly kind: "truncated"; readonly afterBytes: number }
  /** The work is done, and the reply is not what it should be: see `ODDITIES`. */
  | { readonly kind: "odd-reply"; readonly how: Oddity };

const FAULT_KINDS: readonly Fault["kind"][] = [
  "status",
  "reset",
  "stall",
  "lost-reply",
  "slow",
  "late",
  "error-in-200",
  "no-such-upload",
  "truncated",
  "odd-reply",
];

export interface OrderRequest {
  readonly kind: OperationKind | "any";
  readonly fault: Fault;
  /** How many requests it shall meet; 1 when absent. */
  readonly count?: number;
  /** Only keys that start with it, or match it. */
  readonly key?: string | RegExp;
  /** Only listings of what begins with it: they have no key. */
  readonly prefix?: string;
  readonly partNumber?: number;
  /** So many matching requests go well before. */
  readonly skip?: number;
}

/** An order that was given. */
export interface Order {
  readonly id: number;
  readonly request: OrderRequest;
  /** How many requests it has met. */
  readonly fired: number;
  cancel(): void;
}

interface Held {
  readonly id: number;
  readonly request: OrderRequest;
  skip: number;
  left: number;
  fired: number;
}

export class Faults {
  readonly #orders: Held[] = [];

  /** @throws `Invalid` for a kind or a number that makes no sense. */
  order(request: OrderRequest): Order {
    assertOrder(request);
    const held: Held = {
      id: this.#orders.length + 1,
      request,
      skip: request.skip ?? 0,
      left: request.count ?? 1,
      fired: 0,
    };
    this.#orders.push(held);
    return toOrder(held);
  }

  list(): Order[] {
    return this.#orders.map(toOrder);
  }

  /** The fault for a request; the oldest order that matches is used up by one. */
  take(target: Target): Fault | undefined {
    const held = this.#orders.find((order) => order.left > 0 && matches(order.request, target));
    if (held === undefined) return undefined;
    if (held.skip > 0) {
      held.skip -= 1;
      return undefined;
    }
    held.left -= 1;
    held.fired += 1;
    return held.request.fault;
  }
}

function toOrder(held: Held): Order {
  return {
    id: held.id,
    request: held.request,
    get fired() {
      return held.fired;
    },
    cancel: () => {
      held.left = 0;
    },
  };
}

function matches({ kind, key, prefix, partNumber }: OrderRequest, target: Target): boolean {
  if (kind !== "any" && kind !== target.kind) return false;
  if (typeof key === "string" && !target.key.startsWith(key)) return false;
  // `search` knows no state, unlike `test` of a global expression.
  if (key instanceof RegExp && target.key.search(key) < 0) return false;
  if (prefix !== undefined && target.query.get("prefix")?.startsWith(prefix) !== true) return false;
  return partNumber === undefined || target.query.get("partNumber") === String(partNumber);
}

function assertOrder({ kind, fault, count = 1, skip = 0 }: OrderRequest): void {
  const kinds: readonly string[] = ["any", ...OPERATION_KINDS];
  if (!kinds.includes(kind))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'kind' must be one of ${kinds.join(", ")}: received ${kind}`,
    );
  if (!FAULT_KINDS.includes(fault.kind))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'fault.kind' must be one of ${FAULT_KINDS.join(", ")}: received ${fault.kind}`,
    );
  if (!(count >= 1) || !(skip >= 0))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'count' must be >= 1 and 'skip' >= 0: received ${count} and ${skip}`,
    );
  if (fault.kind === "odd-reply" && !ODDITIES.includes(fault.how))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'how' must be one of ${ODDITIES.join(", ")}: received ${fault.how}`,
    );
  if (fault.kind === "status" && !(fault.status >= 300 && fault.status <= 599))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'status' must be from 300 to 599: received ${fault.status}`,
    );
  if ((fault.kind === "slow" || fault.kind === "late") && !(fault.delayMs >= 0))
    throw new KodomountError(
      "Invalid",
      `Cannot order a fault as 'delayMs' must be >= 0: received ${fault.delayMs}`,
    );
}
