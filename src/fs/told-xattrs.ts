// `user.kodomount.*`: what the mount tells of a file by extended attributes. They are not listed, so that nobody copies
// them, and cannot be set.

import { KodomountError } from "../base/mod.ts";
import { STANDARD_CLASS } from "../model/mod.ts";
import type { Core } from "./core.ts";
import type { Node } from "./tree.ts";
import type { Request } from "./types.ts";
import type { Current, View } from "./view.ts";

const TOLD = "user.kodomount.";
const NAMES = ["key", "etag", "storage_class", "state"] as const;
type ToldName = (typeof NAMES)[number];

/** Whether the name is one of these, or would be one of a later version. */
export function isTold(name: string): boolean {
  return name.startsWith(TOLD);
}

/** @throws `NotPermitted`. */
export function assertNotTold(name: string): void {
  if (isTold(name))
    throw new KodomountError(
      "NotPermitted",
      `${name} is told by the mount: it cannot be set or removed`,
    );
}

export class ToldXattrs {
  readonly #core: Core;
  readonly #view: View;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
  }

  /** @throws `NoAttribute` for what there is not, or not yet. */
  async get({ signal }: Request, node: Node, name: string): Promise<string> {
    const told = NAMES.find((each) => TOLD + each === name);
    if (told === undefined) throw notTold(name);
    if (told === "key" && !node.isNameless && node.local === undefined)
      return this.#core.options.prefix + node.key;
    if (node.kind === "directory" || told === "key") throw notTold(name);
    const value = await this.#ofFile(await this.#view.current(node, signal), told, signal);
    if (value === undefined) throw notTold(name);
    return value;
  }

  async #ofFile(
    current: Current,
    name: ToldName,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    switch (current.kind) {
      case "local":
        return undefined;
      case "save":
        return name === "state" ? current.save.record.state.kind : undefined;
      case "copy":
        return name === "state" ? "copy" : undefined;
      case "remote":
        break;
    }
    const { key, etag } = current.file;
    if (name === "etag") return etag.replaceAll('"', "");
    const head = await this.#core.options.loader.head(key, signal);
    if (head === undefined)
      throw new KodomountError("Stale", `${key} was deleted by another client`);
    if (name === "state") return head.archive?.state ?? "stored";
    return head.storageClass ?? STANDARD_CLASS;
  }
}

function notTold(name: string): KodomountError {
  return new KodomountError("NoAttribute", `There is no ${name} of it`);
}
