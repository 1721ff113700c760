// What the parts of the publishing engine share. Put together once, by `Publisher.start`.

import type { Background, Clock, Log } from "../base/mod.ts";
import type { Catalog } from "../catalog/mod.ts";
import type { Etag, Key, PartPlan, SaveId } from "../model/mod.ts";
import type { Sender } from "../send/mod.ts";
import type { Spill } from "../spill/mod.ts";
import type { ObjectStore } from "../store/mod.ts";
import type { Aborts } from "./aborts.ts";
import type { Order } from "./order.ts";
import type { Save } from "./save.ts";
import type { Slots } from "./slots.ts";

export interface Engine {
  readonly catalog: Catalog;
  readonly spill: Spill;
  readonly sender: Sender;
  /** Retries without end. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly plan: PartPlan;
  readonly order: Order;
  readonly slots: Slots;
  readonly saves: Map<SaveId, Save>;
  readonly aborts: Aborts;
  /** Bytes of the largest object that one CopyObject takes. */
  readonly copySizeMax: number;
  /** Aborts when the mount stops. */
  readonly stop: AbortSignal;
  readonly onObjectChanged: OnObjectChanged;
}

/** What is at a key of the bucket by now, through us: an object, nothing, or who knows. */
export type ObjectChange = { readonly etag: Etag; readonly size: number } | "deleted" | "unknown";

export type OnObjectChanged = (key: Key, now: ObjectChange) => void;

/** A closed save that has waited this long is published only after a look at the bucket: others may have written. */
export const LOOK_AFTER_MS: number = 10 * 60_000;
