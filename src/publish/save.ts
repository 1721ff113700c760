// A save in memory: its record as the catalog has it, and its content.

import { KodomountError, newAbort } from "../base/mod.ts";
import type { ObjectRecord } from "../catalog/mod.ts";
import {
  type Attributes,
  type Key,
  type SaveEvent,
  type SaveRecord,
  transition,
} from "../model/mod.ts";
import type { Content } from "./content.ts";

export class Save {
  /** Replaced, never changed in place; the catalog gets every new version before anything is done about it. */
  record: SaveRecord;
  readonly content: Content;
  /** Something was written or cut since it was begun; a save that is merely new becomes an empty file at its last release. */
  dirty = false;
  /** It has what it begins with: until then readers see what was there before. */
  isReady = true;
  /** It began with what was there before: most likely it is not the last time. */
  isModification = false;
  /** Its parts go to another key than before: all of them, also those that were sent. */
  isMoved = false;
  /** The newer closed save of its key that took its place before it was published. */
  supersededBy: Save | undefined;
  /** The catalog has been told to forget it: nothing of it is recorded any more. */
  isDropped = false;
  /** It is entered at no key: its name is gone while somebody has it open. Nothing of it is recorded any more. */
  isNameless = false;
  /** Its close is being written down: nothing of it is published before that is done. */
  isClosing = false;
  /** The object that it has become, from the moment that the catalog is told so: what changes now is of the object. */
  made: ObjectRecord | undefined;
  /** What its attributes will probably be when it is published, for an upload that begins before they are set. */
  foreseen: Promise<Attributes | undefined> = Promise.resolve(undefined);
  /** Uploads with all its parts that the store would not complete. */
  refusedUploads = 0;
  /** Ends the waits for it: it was superseded or dropped. Parts on their way go on. */
  abandon: AbortController = newAbort();

  constructor(record: SaveRecord, content: Content) {
    this.record = record;
    this.content = content;
  }

  /** The key whose upload its parts go to. */
  get uploadKey(): Key {
    return this.record.held?.final ?? this.record.key;
  }

  /** The record after `event`; nothing is changed yet. */
  after(event: SaveEvent): SaveRecord {
    return {
      ...this.record,
      size: "size" in event ? event.size : this.record.size,
      state: transition(this.record.state, event),
    };
  }

  /** @throws what a write or close of it must answer: it was refused, or its first failure was. */
  assertAccepted(): void {
    const { state } = this.record;
    if (state.kind === "refused")
      throw new KodomountError(
        state.why,
        `This file cannot be saved any more: ${state.why}; see 'kodomount uploads'`,
      );
  }
}
