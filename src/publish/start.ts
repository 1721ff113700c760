// Puts the publishing engine together and brings back what was pending.

import { type Background, type Clock, type Log, newAbort } from "../base/mod.ts";
import type { Catalog, ReplyRecord } from "../catalog/mod.ts";
import type { PartPlan } from "../model/mod.ts";
import type { Sender } from "../send/mod.ts";
import type { Spill } from "../spill/mod.ts";
import type { ObjectStore } from "../store/mod.ts";
import { Aborts } from "./aborts.ts";
import type { Engine, OnObjectChanged } from "./engine.ts";
import { Order } from "./order.ts";
import { Publisher } from "./publisher.ts";
import { recover } from "./recover.ts";
import { Slots } from "./slots.ts";

export interface PublisherOptions {
  readonly catalog: Catalog;
  readonly spill: Spill;
  readonly sender: Sender;
  /** Retries without end: an outage of any length is waited out. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly plan: PartPlan;
  /** How long a closed save of up to one part may stay unpublished while closes return, milliseconds. */
  readonly lagMs: number;
  readonly copySizeMax: number;
  readonly onObjectChanged: OnObjectChanged;
  /** Parts that were hashed before the last stop may be believed without hashing them again. */
  readonly trusted: boolean;
}

export interface Started {
  readonly publisher: Publisher;
  /** Answers that were given before, for a kernel that asks again. */
  readonly replies: readonly ReplyRecord[];
  stop(): Promise<void>;
}

/** The engine at work, with everything that an earlier run left; `stop` ends it without losing anything. */
export async function startPublisher(options: PublisherOptions): Promise<Started> {
  const { lagMs, trusted, ...rest } = options;
  const stopping = newAbort();
  const engine: Engine & { aborts: Aborts } = {
    ...rest,
    order: new Order(options.clock, lagMs),
    slots: new Slots(),
    saves: new Map(),
    stop: stopping.signal,
    get aborts(): Aborts {
      return aborts;
    },
  };
  const aborts: Aborts = new Aborts(engine);
  const publisher = new Publisher(engine);
  const contents = await options.catalog.contents();
  await recover(engine, publisher, contents, trusted);
  await options.catalog.vouch();
  return {
    publisher,
    replies: contents.replies,
    async stop() {
      stopping.abort();
      await options.background.settled();
    },
  };
}
