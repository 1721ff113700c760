// What programs have been promised, and what may be visible: fed with each operation before it begins and after it has
// returned. The manifest of a run.

import { contentOf, sha256 } from "./content.ts";
import type { Operation, Saved } from "./operations.ts";

/** A whole version of a file; undefined: none. */
export type Outcome = { readonly sha256: string; readonly size: number } | undefined;

interface OpenFile {
  path: string;
  content: Buffer;
  /** As it was before the operation that is under way. */
  before: Buffer;
  readonly append: boolean;
  /** The temporary name that it was made under: nothing is published there. */
  readonly heldAt: string | undefined;
  dirty: boolean;
  /** Bytes that an fsync has promised. */
  synced: Buffer | undefined;
}

/** Content that a rename under way takes from one name to another. */
interface Moving {
  readonly from: string;
  readonly to: string;
  readonly outcomes: readonly Outcome[];
}

export class Model {
  /** What may be at a path now: one outcome where the promise is certain, several while an operation is under way. */
  readonly outcomes = new Map<string, readonly Outcome[]>();
  /** What an fsync has promised of files that were not closed. */
  readonly synced = new Map<string, Buffer>();
  /** Nobody else writes into the bucket: then nothing older comes back, and promises show in the bucket. */
  isAlone = true;
  /** Files that were not there before, in the order of their closes, until something else happens to them. */
  newFiles: readonly string[] = [];
  /** Versions that may be visible at a key, each with its places in the order of the closes. */
  readonly #allowed = new Map<string, Map<string, number[]>>();
  /** Closed under a temporary name: kept, but published by its rename only. */
  readonly #held = new Map<string, Buffer>();
  readonly #foreign = new Set<string>();
  readonly #open = new Map<string, OpenFile>();
  readonly #content = new Map<string, Buffer>();
  #order = 0;
  #moving: readonly Moving[] = [];

  /** Where in the order of closes that content has its places at `key`; undefined: nobody has closed it there. */
  placesOf(key: string, digest: string): readonly number[] | undefined {
    return this.#allowed.get(key)?.get(digest);
  }

  /** Another client writes that, or deletes; a rename may take it to any key. */
  foreign(bytes: Buffer | undefined): void {
    this.isAlone = false;
    if (bytes !== undefined) this.#foreign.add(sha256(bytes));
  }

  /** Whether that is what another client has written. */
  isForeign(digest: string): boolean {
    return this.#foreign.has(digest);
  }

  /** Hash of what the program sees at `path`. */
  digestAt(path: string): string | undefined {
    const content = this.#content.get(path);
    return content === undefined ? undefined : sha256(content);
  }

  /** Where an open file is now. */
  pathOf(file: string): string {
    return this.#file(file).path;
  }

  /** Names of the files that are open. */
  get open(): string[] {
    return [...this.#open.keys()];
  }

  before(operation: Operation): void {
    this.#moving = [];
    for (const path of pathsOf(operation))
      this.newFiles = this.newFiles.filter(
        (each) => each !== path && movedBelow(each, path, "") === undefined,
      );
    switch (operation.do) {
      case "create":
        this.#open.set(operation.file, {
          ...openFile(operation.path, Buffer.alloc(0)),
          dirty: true,
          heldAt: operation.private === true ? operation.path : undefined,
        });
        return;
      case "open": {
        const content = this.#content.get(operation.path) ?? Buffer.alloc(0);
        const append = operation.append === true;
        this.#open.set(operation.file, { ...openFile(operation.path, content), append });
        return;
      }
      case "write":
      case "truncate":
        return this.#change(operation);
      case "close": {
        const { path, content, dirty, heldAt } = this.#file(operation.file);
        if (!dirty || heldAt === path) return;
        this.#allow(path, content);
        return this.#widen(path, outcomeOf(content));
      }
      case "mkdir":
        return this.#widen(`${operation.path}/`, outcomeOf(Buffer.alloc(0)));
      case "rename":
        return this.#beforeRename(operation);
      case "unlink":
        return this.#widen(operation.path, undefined);
      case "run":
        for (const saved of operation.saves) {
          const content = wholeOf(saved);
          this.#allow(saved.path, content);
          this.#widen(saved.path, outcomeOf(content));
        }
        return;
      case "fsync":
        return;
    }
  }

  after(operation: Operation): void {
    switch (operation.do) {
      case "write":
      case "truncate": {
        const file = this.#file(operation.file);
        file.before = file.content;
        return;
      }
      case "fsync": {
        const file = this.#file(operation.file);
        file.synced = file.content;
        this.synced.set(file.path, file.content);
        return;
      }
      case "close":
        return this.#afterClose(operation.file);
      case "mkdir":
        return this.#settle(`${operation.path}/`, outcomeOf(Buffer.alloc(0)));
      case "rename":
        return this.#afterRename(operation);
      case "unlink":
        this.#content.delete(operation.path);
        this.#held.delete(operation.path);
        return this.#settle(operation.path, undefined);
      case "run":
        for (const saved of operation.saves) {
          const content = wholeOf(saved);
          this.#content.set(saved.path, content);
          this.#settle(saved.path, outcomeOf(content));
        }
        return;
      case "create":
      case "open":
        return;
    }
  }

  /**
   * The program has ended with files open. `killed`: by a signal, which publishes only what was fsynced or opened for
   * append; otherwise an exit, which closes. To be told before the kernel tells, and once more after it.
   */
  ended(how: "killed" | "exited", when: "before" | "after"): void {
    for (const { path, content, before, append, dirty, synced, heldAt } of this.#open.values()) {
      if (!dirty || heldAt === path || (how === "killed" && !append && synced === undefined))
        continue;
      for (const each of [before, content]) this.#allow(path, each);
      const outcomes = [...new Set([before, content])].map(outcomeOf);
      // An exit comes after an error, which may have failed the file: then it is not published.
      if (when === "after" && how === "killed") this.outcomes.set(path, outcomes);
      else for (const outcome of outcomes) this.#widen(path, outcome);
    }
    if (when === "after") this.#open.clear();
  }

  /** The mount has ended: nothing is open any more. What was not closed is as it was. */
  forgetOpen(): void {
    this.#open.clear();
  }

  /** Renames under way: their content must be at one of both names. */
  get moving(): readonly Moving[] {
    return this.#moving;
  }

  #change(operation: Operation & { do: "write" | "truncate" }): void {
    const file = this.#file(operation.file);
    file.before = file.content;
    file.dirty = true;
    if (operation.do === "truncate") {
      const { size } = operation;
      file.content = Buffer.concat([file.content, Buffer.alloc(size)]).subarray(0, size);
      return;
    }
    const { at, name, version, size } = operation;
    const content = Buffer.alloc(Math.max(file.content.length, at + size));
    file.content.copy(content);
    contentOf(name, version, { offset: at, size }).copy(content, at);
    file.content = content;
  }

  #afterClose(name: string): void {
    const { path, content, dirty, heldAt } = this.#file(name);
    this.#open.delete(name);
    if (heldAt === path) this.#held.set(path, content);
    if (!dirty || heldAt === path) return;
    const isNew = !this.#content.has(path);
    this.#content.set(path, content);
    this.#settle(path, outcomeOf(content));
    this.synced.delete(path);
    if (isNew) this.newFiles = [...this.newFiles, path];
  }

  #beforeRename({ from, to }: { from: string; to: string }): void {
    const held = this.#held.get(from);
    if (held !== undefined) {
      this.#allow(to, held);
      this.#widen(to, outcomeOf(held));
    }
    const moving: Moving[] = [];
    for (const [path, outcomes] of [...this.outcomes]) {
      const target = path === from ? to : movedBelow(path, from, to);
      if (target === undefined) continue;
      // What was removed at the temporary name before has nothing to do with what was closed there.
      if (path === from && held !== undefined) continue;
      moving.push({ from: path, to: target, outcomes });
      for (const [digest] of this.#allowed.get(path) ?? []) this.#allowDigest(target, digest);
      for (const outcome of outcomes) if (outcome !== undefined) this.#widen(target, outcome);
      this.#widen(path, undefined);
    }
    this.#moving = moving;
  }

  #afterRename({ from, to }: { from: string; to: string }): void {
    const held = this.#held.get(from);
    this.#held.delete(from);
    if (held !== undefined) {
      this.#content.set(to, held);
      this.#settle(to, outcomeOf(held));
    }
    for (const { from: path, to: target, outcomes } of this.#moving) {
      this.outcomes.set(target, outcomes);
      this.#settle(path, undefined);
      const content = this.#content.get(path);
      this.#content.delete(path);
      if (content !== undefined) this.#content.set(target, content);
    }
    for (const file of this.#open.values())
      file.path = file.path === from ? to : (movedBelow(file.path, from, to) ?? file.path);
    for (const [path, content] of [...this.synced])
      if (path === from) {
        this.synced.delete(path);
        this.synced.set(to, content);
      }
    this.#moving = [];
  }

  #widen(path: string, outcome: Outcome): void {
    const known = this.outcomes.get(path) ?? [undefined];
    if (!known.some((each) => each?.sha256 === outcome?.sha256))
      this.outcomes.set(path, [...known, outcome]);
  }

  #settle(path: string, outcome: Outcome): void {
    this.outcomes.set(path, [outcome]);
  }

  #allow(path: string, content: Buffer): void {
    this.#allowDigest(path, sha256(content));
  }

  #allowDigest(path: string, digest: string): void {
    const known = this.#allowed.get(path) ?? new Map<string, number[]>();
    this.#order += 1;
    known.set(digest, [...(known.get(digest) ?? []), this.#order]);
    this.#allowed.set(path, known);
  }

  #file(name: string): OpenFile {
    const file = this.#open.get(name);
    if (file === undefined) throw new Error(`the program has not opened ${name}`);
    return file;
  }
}

function openFile(path: string, content: Buffer): OpenFile {
  const state = { append: false, dirty: false, synced: undefined, heldAt: undefined };
  return { path, content, before: content, ...state };
}

/** What it makes, changes or removes. */
function pathsOf(operation: Operation): string[] {
  switch (operation.do) {
    case "create":
    case "open":
    case "unlink":
      return [operation.path];
    case "rename":
      return [operation.from, operation.to];
    case "run":
      return operation.saves.map(({ path }) => path);
    case "write":
    case "truncate":
    case "fsync":
    case "close":
    case "mkdir":
      return [];
  }
}

function movedBelow(path: string, from: string, to: string): string | undefined {
  return path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : undefined;
}

function wholeOf({ name, version, size }: Saved): Buffer {
  return contentOf(name, version, { offset: 0, size });
}

function outcomeOf(content: Buffer): Outcome {
  return { sha256: sha256(content), size: content.length };
}
