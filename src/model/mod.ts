// Door of `model`: the pure part. Ids, part plan, save and its transition, ensurePart, names, attributes and their metadata, providers, storage classes.

export * from "./attributes.ts";
export * from "./conflict.ts";
export * from "./ensure-part.ts";
export * from "./held.ts";
export * from "./ids.ts";
export * from "./metadata.ts";
export * from "./names.ts";
export * from "./part-plan.ts";
export * from "./provider.ts";
export * from "./save.ts";
export * from "./storage-class.ts";
