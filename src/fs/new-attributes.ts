// What a new file or directory belongs to and may be done with, by whom and where it is made.

import { type Attributes, S_IFDIR, S_IFMT } from "../model/mod.ts";
import type { Node } from "./tree.ts";
import type { Request } from "./types.ts";
import type { View } from "./view.ts";

const S_ISGID = 0o2000;

/** Of what `request` makes in `parent`. */
export async function newAttributes(
  view: View,
  request: Request,
  parent: Node,
  { mode, mtimeMs }: { mode: number; mtimeMs: number },
): Promise<Attributes> {
  const { uid, gid } = request.caller;
  const above = await view.stat(parent, request.signal);
  const inherits = (above.mode & S_ISGID) !== 0;
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  return {
    mode: inherits && isDirectory ? mode | S_ISGID : mode,
    uid,
    gid: inherits ? above.gid : gid,
    mtimeMs,
  };
}
