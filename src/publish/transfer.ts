// Brings parts of a save to the upload of its key. `ensure` is the one path for first send, retry, resume, re-run,
// rewrite and overwrite: it ends when the store has acknowledged the part as it is now.

import {
  anySignal,
  codeOf,
  describe,
  invariant,
  KodomountError,
  newAbort,
  step,
  toError,
  unlessAborted,
  unreachable,
} from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import {
  type Acknowledgement,
  type CopySource,
  type Etag,
  ensurePart,
  type Key,
  type PartNumber,
  type Sealed,
  samePlan,
  sourceOf,
} from "../model/mod.ts";
import { createUpload } from "./create-upload.ts";
import type { Engine } from "./engine.ts";
import { rememberToken } from "./evidence.ts";
import { corruptPart, lostParts } from "./lost-part.ts";
import type { Save } from "./save.ts";
import { partChange } from "./save-records.ts";
import type { Slot } from "./slot.ts";
import { identityOf, type Target } from "./target.ts";
import type { Attempt, Upload } from "./upload.ts";

/** One part that the upload shall hold, and what it holds at that number. */
interface Sending {
  readonly upload: Upload;
  readonly partNumber: PartNumber;
  readonly target: Target;
  readonly held: Acknowledgement | undefined;
}

const BAD_DIGESTS_MAX = 5;

export class Transfer {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Resolves when the key's upload holds the part as it is now, or the part is being written to (it will be asked for
   * again). @throws what the store refuses for good; `Interrupted` when `signal` aborts.
   */
  async ensure(slot: Slot, save: Save, partNumber: PartNumber, signal: AbortSignal): Promise<void> {
    for (;;) {
      assertWanted(slot, save, signal);
      const target = await this.#target(save, partNumber, signal);
      if (target === undefined) return;
      // Hashing took its time: for what was dropped meanwhile no upload is begun.
      assertWanted(slot, save, signal);
      const upload = await this.#uploadOf(slot, save);
      await this.#forgetUnlessNeeded(slot, upload);
      assertWanted(slot, save, signal);
      const running = upload.attempts.get(partNumber);
      if (running !== undefined) {
        await this.#settleAttempt(upload, running, identityOf(target), signal);
        continue;
      }
      const held = upload.acks.get(partNumber);
      if (held !== undefined && held.sha256 === identityOf(target) && held.size === target.size)
        return;
      if (target.kind === "sealed" && target.at === "evicted") throw lostParts(slot.key);
      await this.#attempt(slot, save, { upload, partNumber, target, held }, signal);
    }
  }

  /** The hash of a part that is frozen; undefined when it changed meanwhile. */
  async seal(save: Save, partNumber: PartNumber, signal: AbortSignal): Promise<Sealed | undefined> {
    const content = save.content.part(partNumber);
    if (content.kind === "sealed") return content;
    if (content.kind !== "frozen") return undefined;
    const { rev, size } = content;
    try {
      const sha256 = await this.#engine.sender.hash(
        { path: save.content.pathOf(partNumber, rev), size },
        signal,
      );
      const sealed = save.content.seal(partNumber, rev, sha256);
      // Of a save that was dropped meanwhile nothing may come back.
      if (sealed !== undefined && !save.isDropped) await this.#record(partChange(save, partNumber));
      return sealed;
    } catch (error) {
      const now = save.content.part(partNumber);
      if (!("rev" in now) || now.rev !== rev) return undefined; // rewritten meanwhile, its file is gone
      throw error;
    }
  }

  /** The upload is of no use any more: the store does not know it, or it holds what must not be published. */
  async forget(slot: Slot, upload: Upload, options: { abort: boolean }): Promise<void> {
    for (const attempt of upload.attempts.values()) attempt.abort.abort();
    if (slot.upload === upload) slot.upload = undefined;
    const { key, uploadId } = upload.record;
    const changes: Change[] = [{ del: "upload", key, uploadId }, ...rememberToken(slot, upload)];
    if (options.abort) changes.push({ put: "abort", key, uploadId });
    try {
      await this.#record(...changes);
    } finally {
      if (options.abort)
        this.#engine.aborts.add(
          key,
          uploadId,
          [...upload.attempts.values()].map(({ done }) => done),
        );
    }
  }

  /** What the store says that the upload holds; undefined when it does not know the upload any more. */
  async listParts(
    slot: Slot,
    upload: Upload,
    signal: AbortSignal,
  ): Promise<Map<PartNumber, { etag: Etag; size: number }> | undefined> {
    try {
      const parts = await this.#engine.store.listParts(
        { key: slot.key, uploadId: upload.record.uploadId },
        signal,
      );
      return new Map(parts.map(({ partNumber, etag, size }) => [partNumber, { etag, size }]));
    } catch (error) {
      if (codeOf(error) !== "NoSuchUpload") throw error;
      await this.forget(slot, upload, { abort: false });
      return undefined;
    }
  }

  /** From now on ListParts must agree before Complete. */
  async doubt(upload: Upload): Promise<void> {
    if (upload.record.doubt || !this.#isKept(upload)) return;
    upload.record = { ...upload.record, doubt: true };
    await this.#record({ put: "upload", record: upload.record });
  }

  /** Forgotten meanwhile: its records are gone, and must not come back. */
  #isKept(upload: Upload): boolean {
    return this.#engine.slots.get(upload.record.key)?.upload === upload;
  }

  async #target(
    save: Save,
    partNumber: PartNumber,
    signal: AbortSignal,
  ): Promise<Target | undefined> {
    const content = save.content.part(partNumber);
    switch (content.kind) {
      case "hole":
      case "written":
        return undefined;
      case "sealed":
        return content;
      case "frozen":
        return this.seal(save, partNumber, signal);
      case "base": {
        const source = sourceOf(save.record);
        invariant(source !== undefined, "a save with parts of the object underneath has one");
        const { key, etag } = source;
        return { kind: "base", key, etag, ...save.content.extent(partNumber) };
      }
      default:
        return unreachable(content);
    }
  }

  async #uploadOf(slot: Slot, save: Save): Promise<Upload> {
    if (slot.upload !== undefined && samePlan(slot.upload.record.plan, this.#engine.plan))
      return slot.upload;
    assertNotLost(slot, save);
    if (slot.upload !== undefined) await this.forget(slot, slot.upload, { abort: true });
    slot.creating ??= createUpload(this.#engine, slot, save).finally(() => {
      slot.creating = undefined;
    });
    return slot.creating;
  }

  /** The save may have been moved or dropped while its upload was being created: then nobody would ever complete it. */
  async #forgetUnlessNeeded(slot: Slot, upload: Upload): Promise<void> {
    if (slot.visible ?? slot.interrupted ?? slot.guest) return;
    await this.forget(slot, upload, { abort: true });
  }

  /** Waits for an attempt at the same content, ends one at other content: never two of one part at once. */
  async #settleAttempt(
    upload: Upload,
    running: Attempt,
    identity: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (running.identity !== identity) {
      running.abort.abort();
      await this.doubt(upload);
    }
    await unlessAborted(running.done, signal);
  }

  async #attempt(slot: Slot, save: Save, part: Sending, signal: AbortSignal): Promise<void> {
    const { upload, partNumber, target } = part;
    // Not ended with the save: what takes its place often wants the same part, and it is half-way there.
    const abort = newAbort();
    let failure: Error | undefined;
    const done = this.#perform(slot, save, part, anySignal(abort.signal, this.#engine.stop))
      .catch((error: unknown) => {
        failure = toError(error);
      })
      .finally(() => upload.attempts.delete(partNumber));
    upload.attempts.set(partNumber, { identity: identityOf(target), abort, done });
    await unlessAborted(done, signal);
    if (failure === undefined) return;
    if (abort.signal.aborted) return this.doubt(upload); // other content takes its place: look again
    slot.lastError = describe(failure);
    await this.#afterFailure(slot, save, part, failure);
  }

  async #perform(slot: Slot, save: Save, part: Sending, signal: AbortSignal): Promise<void> {
    const { upload, partNumber, target, held } = part;
    if (upload.repeated.has(partNumber)) await this.doubt(upload);
    const source = await this.#copySource(slot, upload);
    const action =
      target.kind === "base"
        ? { kind: "copy" as const, key: target.key, etag: target.etag }
        : ensurePart(partNumber, target, held, source);
    switch (action.kind) {
      case "have":
        return;
      case "copy": {
        const copied = await this.#copyOrSend(
          slot,
          save,
          { key: slot.key, ...part, ...action },
          signal,
        );
        if (copied !== undefined) await this.#acknowledge(upload, partNumber, target, copied);
        return;
      }
      case "send": {
        invariant(target.kind === "sealed", "only a sealed part is sent");
        const { isRepeated } = await this.#engine.sender.uploadPart(
          {
            key: slot.key,
            uploadId: upload.record.uploadId,
            partNumber,
            path: save.content.pathOf(partNumber, target.rev),
            size: target.size,
            sha256: target.sha256,
          },
          priorityOf(save),
          signal,
          (etag) => this.#acknowledge(upload, partNumber, target, etag),
        );
        if (isRepeated) upload.repeated.add(partNumber);
        return;
      }
      default:
        return unreachable(action);
    }
  }

  async #acknowledge(
    upload: Upload,
    partNumber: PartNumber,
    target: Target,
    etag: Etag,
  ): Promise<void> {
    const ack = { sha256: identityOf(target), size: target.size, etag };
    upload.acks.set(partNumber, ack);
    if (!this.#isKept(upload)) return;
    await this.#record({
      put: "ack",
      record: { ...ack, uploadId: upload.record.uploadId, partNumber },
    });
    step("part.acknowledged");
  }

  /** What this machine committed last under the key, cut by the same plan, as long as copying from it works. */
  async #copySource(slot: Slot, upload: Upload): Promise<CopySource | undefined> {
    if (upload.copyFailed) return undefined;
    const object = await this.#engine.catalog.findObject(slot.key);
    if (object?.plan === undefined || !samePlan(object.plan, this.#engine.plan)) return undefined;
    return object;
  }

  /** undefined: it cannot be copied, and from now on parts of this upload are sent whose bytes are here. */
  async #copyOrSend(
    slot: Slot,
    save: Save,
    part: Sending & { key: Key; etag: Etag },
    signal: AbortSignal,
  ): Promise<Etag | undefined> {
    try {
      return await this.#copy(slot, save, part, signal);
    } catch (error) {
      const code = codeOf(error);
      const isOver = code === "Interrupted" || code === "NoSuchUpload";
      if (part.target.kind === "base" || isOver) throw error;
      part.upload.copyFailed = true;
      return undefined;
    }
  }

  /** Some stores ignore the condition on the source's version: HEAD looks before the first copy, and before Complete. */
  async #copy(
    slot: Slot,
    save: Save,
    part: { upload: Upload; partNumber: PartNumber; key: Key; etag: Etag },
    signal: AbortSignal,
  ): Promise<Etag> {
    const { upload, partNumber, key, etag } = part;
    if (upload.copiedFrom.get(key) !== etag) {
      const head = await this.#engine.store.head(key, signal);
      if (head?.etag !== etag)
        throw new KodomountError(
          "PreconditionFailed",
          `The object under ${key} is no longer the version that was to be copied`,
        );
      upload.copiedFrom.set(key, etag);
    }
    const { offset, size } = save.content.extent(partNumber);
    const request = {
      key: slot.key,
      uploadId: upload.record.uploadId,
      partNumber,
      from: key,
      etag,
      range: { offset, length: size },
    };
    return (await this.#engine.store.copyPart(request, signal)).etag;
  }

  /** Decides after a failed attempt whether to look again (returns) or to give up (throws). */
  async #afterFailure(slot: Slot, save: Save, part: Sending, failure: Error): Promise<void> {
    const { upload, partNumber, target } = part;
    const code = codeOf(failure);
    if (code === "Interrupted") throw failure;
    if (code === "NoSuchUpload") {
      await this.forget(slot, upload, { abort: false });
      return assertNotLost(slot, save, failure);
    }
    if (target.kind === "base") {
      if (code === "PreconditionFailed" || code === "NotFound")
        throw new KodomountError(
          "Conflict",
          `The object under ${target.key} was changed by somebody else while it was being modified or copied here`,
          { cause: failure },
        );
      return save.content.materialize(partNumber, { promised: true }); // a store that cannot copy: fetch and send
    }
    const now = save.content.part(partNumber);
    if (now.kind !== "sealed" || now.rev !== target.rev) return; // rewritten meanwhile
    if (code !== "BadDigest") throw failure;
    if ((await this.#rehash(save, partNumber, target)) !== target.sha256)
      throw corruptPart(save.record.id, partNumber, failure);
    // The spill is right, so the network or the store was not: a few tries more, not for ever.
    upload.badDigests += 1;
    if (upload.badDigests > BAD_DIGESTS_MAX) throw failure;
  }

  #rehash(save: Save, partNumber: PartNumber, target: Sealed): Promise<string> {
    return this.#engine.sender.hash({
      path: save.content.pathOf(partNumber, target.rev),
      size: target.size,
    });
  }

  async #record(...changes: Change[]): Promise<void> {
    await this.#engine.catalog.apply(changes, { sync: false });
  }
}

/** A rename may have moved the save to another key, whose upload is another one. */
function assertWanted(slot: Slot, save: Save, signal: AbortSignal): void {
  if (signal.aborted || save.uploadKey !== slot.key)
    throw new KodomountError("Interrupted", "The save is not sent to this key any more");
}

/** @throws when the upload that is gone was the only place that had some of its parts. */
function assertNotLost(slot: Slot, save: Save, cause?: unknown): void {
  if (save.content.isEvicted) throw lostParts(slot.key, cause);
}

/** The oldest close first, then what is still open. */
function priorityOf(save: Save): number {
  return "order" in save.record.state ? save.record.state.order : Number.MAX_SAFE_INTEGER;
}
