// Door of `catalog`: what is owed, durable. The only importer of LevelDB.

export { Catalog, type CatalogOptions } from "./catalog.ts";
export type * from "./records.ts";
