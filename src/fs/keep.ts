// When a name goes: what those who have the file open go on with, and its end.

import { codeOf } from "../base/mod.ts";
import type { Etag, Key } from "../model/mod.ts";
import type { Keeper } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import type { Node } from "./tree.ts";
import type { Current, View } from "./view.ts";

/** A keeper whose spare content, if nobody took it, goes with it. */
export interface DisposableKeeper extends Keeper, AsyncDisposable {}

/** For the resident node of a name that goes; undefined when nobody has it open as a file. */
export async function keeperOf(
  core: Core,
  view: View,
  node: Node | undefined,
  signal: AbortSignal,
): Promise<DisposableKeeper | undefined> {
  if (node === undefined || node.kind === "directory" || node.handles === 0) return undefined;
  const { publisher } = core.options;
  const current = await currentOf(view, node, signal);
  const object = current && objectUnder(current);
  const spare =
    current &&
    object &&
    (await publisher.beginNameless({
      key: object.key,
      ino: node.ino,
      attributes: await view.attributesOf(node, current, signal),
      base: object.base,
    }));
  return {
    spare,
    take(save) {
      node.save = save;
      core.tree.detach(node);
    },
    async [Symbol.asyncDispose]() {
      if (spare !== undefined && node.save !== spare) await publisher.discard(spare);
      // Released in this very moment.
      await endNameless(core, node);
    },
  };
}

/** The last handle of a file without a name is gone: nobody can reach its content any more. */
export async function endNameless(core: Core, node: Node): Promise<void> {
  const { save } = node;
  if (!node.isNameless || node.handles > 0 || save === undefined) return;
  node.save = undefined;
  await core.options.publisher.discard(save);
  core.tree.prune(node);
}

/** Undefined: it cannot be read as it is, by nobody. That does not keep its name from going. */
async function currentOf(
  view: View,
  node: Node,
  signal: AbortSignal,
): Promise<Current | undefined> {
  try {
    return await view.current(node, signal);
  } catch (error) {
    if (codeOf(error) === "NotFound" || codeOf(error) === "Stale") return undefined;
    throw error;
  }
}

function objectUnder(
  current: Current,
): { key: Key; base: { kind: "object"; etag: Etag; size: number } } | undefined {
  switch (current.kind) {
    case "local":
    case "save":
      return undefined;
    case "copy": {
      const { from, etag, size } = current.want;
      return { key: from, base: { kind: "object", etag, size } };
    }
    case "remote": {
      const { key, etag, size } = current.file;
      return { key, base: { kind: "object", etag, size } };
    }
  }
}
