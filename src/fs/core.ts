// What the operations of the filesystem share.

import { type Background, type Clock, KodomountError, type Log, Mutex } from "../base/mod.ts";
import type { Catalog } from "../catalog/mod.ts";
import type { Loader } from "../load/mod.ts";
import { type Attributes, type HandleId, type Ino, toHandleId, toIno } from "../model/mod.ts";
import type { Publisher } from "../publish/mod.ts";
import { Handles } from "./handles.ts";
import { assertNotReserved } from "./reserved.ts";
import { type Node, Tree } from "./tree.ts";
import type { Request } from "./types.ts";

export interface FilesystemOptions {
  readonly publisher: Publisher;
  readonly loader: Loader;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly closeMode: "commit" | "strict" | "local";
  readonly readOnly: boolean;
  /** The bucket's prefix, which counts for the length of keys. */
  readonly prefix: string;
  readonly keySizeMax: number;
  /** Thread group of a thread, or undefined when /proc does not tell. */
  readonly threadGroup: (pid: number) => Promise<number | undefined>;
  /** Attributes of the source that the program of thread `pid` copies to a file called `name`, where that can be seen. */
  readonly foresee: (pid: number, name: string) => Promise<Attributes | undefined>;
}

export class Core {
  readonly options: FilesystemOptions;
  readonly tree: Tree = new Tree();
  readonly handles: Handles = new Handles();
  /** One change of the namespace at a time: what was looked at must still be so when it is journalled. */
  readonly names: Mutex = new Mutex();
  /** Answers of namespace changes, for a kernel that asks again after a take-over. */
  readonly replies: Map<string, { ino?: Ino; handle?: number }> = new Map();

  constructor(options: FilesystemOptions) {
    this.options = options;
  }

  /** The node, which the kernel has from us. */
  node(ino: Ino): Node {
    const node = this.tree.find(ino);
    if (node === undefined) throw new KodomountError("Stale", `Node ${ino} is not known any more`);
    return node;
  }

  directory(ino: Ino): Node {
    const node = this.node(ino);
    if (node.kind !== "directory")
      throw new KodomountError("NotDirectory", `${node.name} is not a directory`);
    if (node.isNameless) throw new KodomountError("NotFound", `${node.name} was removed`);
    return node;
  }

  /** @param node what is about to be changed. @throws `ReadOnlyMount`, `NotPermitted`. */
  assertWritable(node?: Node): void {
    if (node !== undefined && !node.isNameless) assertNotReserved(node.key);
    if (this.options.readOnly) throw new KodomountError("ReadOnlyMount", "This mount is read-only");
  }

  newIno(): Ino {
    return toIno(this.options.catalog.allocate());
  }

  newHandle(): HandleId {
    return toHandleId(this.options.catalog.allocate());
  }

  /** What was answered to this request before, should the kernel ask again. */
  answered(request: Request): { ino?: Ino; handle?: number } | undefined {
    return request.resent ? this.replies.get(request.unique) : undefined;
  }

  remember(
    request: Request,
    reply: { ino?: Ino; handle?: number },
  ): { unique: string; reply: typeof reply } {
    this.replies.set(request.unique, reply);
    if (this.replies.size > REPLIES_MAX) {
      const oldest = this.replies.keys().next().value;
      if (oldest !== undefined) this.replies.delete(oldest);
    }
    return { unique: request.unique, reply };
  }
}

/** The kernel has far fewer requests under way at once. */
const REPLIES_MAX = 4096;
