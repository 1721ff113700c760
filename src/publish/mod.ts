// Door of `publish`: decides what must be done so that the bucket becomes what was promised, and does it once.

export { Content } from "./content.ts";
export type { ObjectChange, OnObjectChanged, PublisherOptions } from "./engine.ts";
export type { Keeper } from "./nameless.ts";
export type { Move } from "./namespace.ts";
export type { Origin } from "./new-save.ts";
export type { Publisher } from "./publisher.ts";
export { Save } from "./save.ts";
export type { CopyWant, Slot } from "./slot.ts";
export { startPublisher } from "./start.ts";
export type { Pending } from "./status.ts";
