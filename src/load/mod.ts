// Door of `load`: what is in the bucket, for reading.

export type { ListedFile, Listing } from "./listings.ts";
export { Loader, type LoaderOptions, type RemoteDirectory, type RemoteFile } from "./loader.ts";
