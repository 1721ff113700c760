// Door of `load`: what is in the bucket, for reading.

export { Blocks } from "./blocks.ts";
export { lockCache } from "./cache-lock.ts";
export { cacheFilesDir } from "./disk-cache.ts";
export type { ListedFile, ListingPart } from "./listings.ts";
export { Loader, type LoaderOptions, type RemoteDirectory, type RemoteFile } from "./loader.ts";
export type { ReadThreadOptions } from "./read-messages.ts";
export { ReadThread } from "./read-thread.ts";
export type { DirectReply, Reader } from "./reader.ts";
export { type WarmProgress, type WarmResult, warm } from "./warm.ts";
