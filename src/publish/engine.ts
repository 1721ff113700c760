// What the parts of the publishing engine share. Put together once, by `startPublisher`.

import type { Background, Clock, Log } from "../base/mod.ts";
import type { Catalog } from "../catalog/mod.ts";
import type { Etag, HeldNames, Key, PartPlan, SaveId, StorageClasses } from "../model/mod.ts";
import type { Sending } from "../send/mod.ts";
import type { Spill } from "../spill/mod.ts";
import type { ObjectStore, Troubles } from "../store/mod.ts";
import type { Aborts } from "./aborts.ts";
import type { Backlog } from "./backlog.ts";
import type { Freeze } from "./freeze.ts";
import type { Keep } from "./keep.ts";
import type { Needs } from "./needs.ts";
import type { Order } from "./order.ts";
import type { Pace } from "./pace.ts";
import type { Save } from "./save.ts";
import type { Room } from "./save-bytes.ts";
import type { Slots } from "./slots.ts";

/** What the engine is made of. */
export interface PublisherOptions {
  readonly catalog: Catalog;
  readonly spill: Spill;
  readonly sender: Sending;
  /** Retries without end: an outage of any length is waited out. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly plan: PartPlan;
  /** How long a closed save of up to one part may stay unpublished while closes return, milliseconds. */
  readonly lagMs: number;
  /** Closes wait for the bucket: then writes do not run ahead of the network. */
  readonly paced: boolean;
  /** Names that are certainly temporary. */
  readonly held: HeldNames;
  /** How long a file under a held name waits for its rename after its last use, milliseconds. */
  readonly holdMs: number;
  /** How long the spill of a small file that was modified is kept for the next time, milliseconds. */
  readonly keepMs: number;
  /** Bytes of the largest object that one CopyObject takes. */
  readonly copySizeMax: number;
  /** Of which class what is saved is to be. */
  readonly storageClasses: StorageClasses;
  /** Attributes that change when an object has been made reach its metadata, by a copy of it. */
  readonly persistAttributes: boolean;
  readonly onObjectChanged: OnObjectChanged;
  /** What `store` and `sender` try again at the moment. */
  readonly troubles: Troubles;
  /** The machine has not lost power since the last run: what was not synced is believed. */
  readonly trusted: boolean;
}

export interface Engine extends Omit<PublisherOptions, "lagMs" | "keepMs" | "trusted"> {
  readonly order: Order;
  readonly pace: Pace;
  readonly backlog: Backlog;
  readonly freeze: Freeze;
  readonly keep: Keep;
  readonly room: Room;
  readonly slots: Slots;
  readonly saves: Map<SaveId, Save>;
  readonly aborts: Aborts;
  readonly needs: Needs;
  /** Aborts when the mount stops. */
  readonly stop: AbortSignal;
}

/** What is at a key of the bucket by now, through us: an object, nothing, or who knows. */
export type ObjectChange =
  | { readonly etag: Etag; readonly size: number; readonly storageClass?: string | undefined }
  | "deleted"
  | "unknown";

export type OnObjectChanged = (key: Key, now: ObjectChange) => void;

/** A closed save that has waited this long is published only after a look at the bucket: others may have written. */
export const LOOK_AFTER_MS: number = 10 * 60_000;
