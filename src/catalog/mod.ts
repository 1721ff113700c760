// Door of `catalog`: what is owed, durable. The only importer of LevelDB.

export { Catalog, type CatalogOptions } from "./catalog.ts";
export { closeDatabase, type Database, openDatabase } from "./database.ts";
export { findHolder } from "./failures.ts";
export { joined } from "./joined.ts";
export type * from "./records.ts";
export { type Remains, readRemains } from "./remains.ts";
