// Nodes that the kernel knows, by number and by name. What they contain is asked of `publish` and `load` each time: a node
// only remembers which name it has and who uses it.

import { invariant, Mutex } from "../base/mod.ts";
import type { RemoteFile } from "../load/mod.ts";
import {
  type Attributes,
  childDirectoryKey,
  childKey,
  type Ino,
  type Key,
  ROOT_INO,
  ROOT_KEY,
} from "../model/mod.ts";
import type { Save } from "../publish/mod.ts";

export class Node {
  readonly ino: Ino;
  readonly kind: "file" | "directory";
  name: string;
  /** undefined: the root, or a node whose name was removed while it was in use. */
  parent: Node | undefined;
  readonly children: Map<string, Node> = new Map();
  /** References that the kernel holds: raised by every entry reply, lowered by forget. */
  lookupCount = 0;
  /** Guards what happens to the content: one write, close or change of size at a time. */
  readonly mutex: Mutex = new Mutex();
  /** Guards the attributes: they are read, changed and written, and a new save begins with them. */
  readonly attributing: Mutex = new Mutex();
  /** What is being written, from the first write to the close. */
  save: Save | undefined;
  /** The version that open handles read, until we replace it ourselves. */
  remote: RemoteFile | undefined;
  /** How often we have replaced or deleted its object. */
  commits = 0;
  /** ETag of what the kernel's page cache has. */
  cachedEtag: string | undefined;
  /** Handles that may write. */
  writers = 0;
  handles = 0;
  /** One of its writers was killed since the last close. */
  killed = false;
  /** A FLUSH with new bytes was a close although /proc did not tell: from now on the last release decides. */
  guessed = false;
  /** It had something in it that we removed: it stays a directory though the bucket no longer shows it. */
  pinned = false;
  atimeMs: number | undefined;
  /** When something else than content and attributes was changed last, such as its name. */
  changedMs: number | undefined;
  /** Of a directory: when a name in it was made or removed here last, unless a time was set since. */
  entriesMs: number | undefined;
  /** Made without a name, and may be given one. */
  isLinkable = false;
  /** Of a pipe or socket, which is here and nowhere else: see `local-nodes.ts`. */
  local: Attributes | undefined;

  constructor(ino: Ino, kind: "file" | "directory", name: string, parent: Node | undefined) {
    this.ino = ino;
    this.kind = kind;
    this.name = name;
    this.parent = parent;
  }

  get isNameless(): boolean {
    return this.parent === undefined && this.ino !== ROOT_INO;
  }

  /** Its key now; a nameless node has none. */
  get key(): Key {
    if (this.ino === ROOT_INO) return ROOT_KEY;
    invariant(this.parent !== undefined, "a nameless node has no key");
    return this.kind === "directory"
      ? childDirectoryKey(this.parent.key, this.name)
      : childKey(this.parent.key, this.name);
  }
}

export class Tree {
  readonly root: Node = new Node(ROOT_INO, "directory", "", undefined);
  readonly #nodes = new Map<Ino, Node>([[ROOT_INO, this.root]]);

  find(ino: Ino): Node | undefined {
    return this.#nodes.get(ino);
  }

  /** The resident node with that key. */
  findByKey(key: Key): Node | undefined {
    const names = key.split("/");
    const isDirectory = names.at(-1) === "";
    if (isDirectory) names.pop();
    let node: Node | undefined = this.root;
    for (const name of names) node = node?.children.get(name);
    return node !== undefined && (node.kind === "directory") === isDirectory ? node : undefined;
  }

  /** A new node under a name; one that had the name before becomes nameless. */
  add(parent: Node, name: string, kind: "file" | "directory", ino: Ino): Node {
    const before = parent.children.get(name);
    if (before !== undefined) this.detach(before);
    const node = new Node(ino, kind, name, parent);
    parent.children.set(name, node);
    this.#nodes.set(ino, node);
    return node;
  }

  /** A new file that has no name, for who holds it open. */
  addNameless(name: string, ino: Ino): Node {
    const node = new Node(ino, "file", name, undefined);
    this.#nodes.set(ino, node);
    return node;
  }

  move(node: Node, parent: Node, name: string): void {
    const replaced = parent.children.get(name);
    if (replaced === node) return;
    if (replaced !== undefined) this.detach(replaced);
    node.parent?.children.delete(node.name);
    node.parent = parent;
    node.name = name;
    parent.children.set(name, node);
  }

  /** Takes the name away; whoever has it open goes on. */
  detach(node: Node): void {
    if (node.parent?.children.get(node.name) === node) node.parent.children.delete(node.name);
    node.parent = undefined;
    this.prune(node);
  }

  /** Drops a node that neither the kernel nor a handle nor a child needs, and its parents likewise. */
  prune(node: Node): void {
    const isOnlyHere = node.local !== undefined && !node.isNameless;
    if (
      isOnlyHere ||
      node.ino === ROOT_INO ||
      node.lookupCount > 0 ||
      node.handles > 0 ||
      node.children.size > 0 ||
      node.save !== undefined
    )
      return;
    this.#nodes.delete(node.ino);
    const { parent } = node;
    if (parent === undefined) return;
    if (parent.children.get(node.name) === node) parent.children.delete(node.name);
    this.prune(parent);
  }

  get size(): number {
    return this.#nodes.size;
  }
}
