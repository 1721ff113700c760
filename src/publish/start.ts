// Puts the publishing engine together and brings back what was pending.

import { newAbort } from "../base/mod.ts";
import type { ReplyRecord } from "../catalog/mod.ts";
import { Aborts } from "./aborts.ts";
import { Backlog } from "./backlog.ts";
import type { Engine, PublisherOptions } from "./engine.ts";
import { Freeze } from "./freeze.ts";
import { Keep } from "./keep.ts";
import { Needs } from "./needs.ts";
import { Order } from "./order.ts";
import { Pace } from "./pace.ts";
import { Publisher } from "./publisher.ts";
import { recover } from "./recover.ts";
import { Room } from "./save-bytes.ts";
import { Slots } from "./slots.ts";
import { Streaming } from "./streaming.ts";

export interface Started {
  readonly publisher: Publisher;
  /** Answers that were given before, for a kernel that asks again. */
  readonly replies: readonly ReplyRecord[];
  stop(): Promise<void>;
}

/** What small files that are pending may hold in memory; more go to the spill. */
const SMALL_BYTES_MAX = 32 * 1024 * 1024;

/** The engine at work, with everything that an earlier run left; `stop` ends it without losing anything. */
export async function startPublisher(options: PublisherOptions): Promise<Started> {
  const { lagMs, keepMs, trusted, ...rest } = options;
  const stopping = newAbort();
  const spillLimit = options.spill.usage().limit;
  const engine: Engine = {
    ...rest,
    order: new Order(options.clock, lagMs),
    freeze: new Freeze(),
    backlog: new Backlog({
      clock: options.clock,
      progress: () => options.sender.progress(),
      spillLimit,
    }),
    pace: new Pace(options.clock, lagMs),
    keep: new Keep({ ...options, keepMs, spillLimit }),
    room: new Room(SMALL_BYTES_MAX),
    slots: new Slots(),
    saves: new Map(),
    stop: stopping.signal,
    get aborts(): Aborts {
      return aborts;
    },
    get needs(): Needs {
      return needs;
    },
  };
  const aborts: Aborts = new Aborts(engine);
  const needs: Needs = new Needs(engine);
  const publisher = new Publisher(engine);
  options.spill.relieveBy(new Streaming(engine));
  const contents = await options.catalog.contents();
  await recover(engine, publisher, contents, trusted);
  await options.catalog.vouch();
  return {
    publisher,
    replies: contents.replies,
    async stop() {
      stopping.abort();
      engine.keep.dropAll();
      await options.background.settled();
    },
  };
}
