// Extended attributes of the `user.` namespace. Others need rights or meaning that a bucket does not have; programs then
// fall back, as from ACLs to modes.

import { KodomountError } from "../base/mod.ts";
import type { Xattrs } from "../model/mod.ts";
import type { NodeAttributes } from "./attributes.ts";
import { assertNotTold, isTold, type ToldXattrs } from "./told-xattrs.ts";
import type { Node } from "./tree.ts";
import type { Request, XattrValue } from "./types.ts";
import type { View } from "./view.ts";

const NAMESPACE = "user.";
/** Names and values of one file: they are in every record of it. One value of Linux's largest size fits. */
const TOTAL_SIZE_MAX = 96 * 1024;
/** The kernel hands out no longer list of names. */
const NAMES_SIZE_MAX = 64 * 1024;

export class NodeXattrs {
  readonly #view: View;
  readonly #attributes: NodeAttributes;
  readonly #told: ToldXattrs;

  constructor(view: View, attributes: NodeAttributes, told: ToldXattrs) {
    this.#view = view;
    this.#attributes = attributes;
    this.#told = told;
  }

  async get(request: Request, node: Node, nameBytes: Uint8Array): Promise<Uint8Array> {
    const name = parseXattrName(nameBytes);
    if (isTold(name)) return Buffer.from(await this.#told.get(request, node, name));
    const { xattrs = {} } = await this.#view.attributes(node, request.signal);
    return Buffer.from(valueOf(xattrs, name), "base64");
  }

  async list(request: Request, node: Node): Promise<string[]> {
    const { xattrs = {} } = await this.#view.attributes(node, request.signal);
    return Object.keys(xattrs).filter((name) => !isTold(name));
  }

  async set(request: Request, node: Node, nameBytes: Uint8Array, value: XattrValue): Promise<void> {
    const name = parseXattrName(nameBytes);
    assertNotTold(name);
    const bytes = Buffer.from(value.bytes).toString("base64");
    await this.#change(request, node, (before) => {
      const exists = before[name] !== undefined;
      if (value.mode === "create" && exists)
        throw new KodomountError("Exists", `${name} is set already`);
      if (value.mode === "replace" && !exists) throw noAttribute(name);
      return assertFit({ ...before, [name]: bytes });
    });
  }

  async remove(request: Request, node: Node, nameBytes: Uint8Array): Promise<void> {
    const name = parseXattrName(nameBytes);
    assertNotTold(name);
    await this.#change(request, node, (before) => {
      valueOf(before, name);
      const { [name]: _, ...rest } = before;
      return rest;
    });
  }

  #change(request: Request, node: Node, make: (before: Xattrs) => Xattrs): Promise<void> {
    return this.#attributes.change(request.signal, node, ({ xattrs, ...others }) => {
      const after = make(xattrs ?? {});
      return Object.keys(after).length === 0 ? others : { ...others, xattrs: after };
    });
  }
}

/** @throws `NotSupported` for other namespaces, `NameNotUtf8`. */
function parseXattrName(bytes: Uint8Array): string {
  const name = Buffer.from(bytes).toString("utf8");
  if (!name.startsWith(NAMESPACE) || name.length === NAMESPACE.length)
    throw new KodomountError(
      "NotSupported",
      `Extended attributes of this kind are not kept: ${name}`,
    );
  if (!Buffer.from(name).equals(bytes))
    throw new KodomountError("NameNotUtf8", "The name of an extended attribute must be UTF-8");
  return name;
}

function valueOf(xattrs: Xattrs, name: string): string {
  const value = xattrs[name];
  if (value === undefined) throw noAttribute(name);
  return value;
}

function noAttribute(name: string): KodomountError {
  return new KodomountError("NoAttribute", `${name} is not set`);
}

function assertFit(xattrs: Xattrs): Xattrs {
  let names = 0;
  let values = 0;
  for (const [name, value] of Object.entries(xattrs)) {
    names += Buffer.byteLength(name) + 1;
    values += Buffer.byteLength(value, "base64");
  }
  if (names > NAMES_SIZE_MAX || names + values > TOTAL_SIZE_MAX)
    throw new KodomountError(
      "NoSpace",
      `The extended attributes of one file can have at most ${TOTAL_SIZE_MAX} bytes: these have ${names + values}`,
    );
  return xattrs;
}
