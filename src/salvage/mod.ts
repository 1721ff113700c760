// Door of `salvage`: content out of a state directory whose catalog is lost.

export { type Layout, layOut, type Missing } from "./layout.ts";
export { type SalvagedFile, type SalvageReport, salvage } from "./salvage.ts";
