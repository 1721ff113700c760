// A new upload at the store, which the catalog knows before anything is sent to it.

import { newAbort, step } from "../base/mod.ts";
import type { UploadRecord } from "../catalog/mod.ts";
import { toMetadata } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { newToken } from "./ids.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";
import { classOfNew } from "./storage-class.ts";
import { Upload } from "./upload.ts";

/** How long a stop waits for the id of an upload that is being created, milliseconds: unknown, it could not be aborted. */
const LINGER_MS = 5000;

/** The upload of `slot` from now on, with the attributes of `save`. @throws as the store and the catalog. */
export async function createUpload(engine: Engine, slot: Slot, save: Save): Promise<Upload> {
  const { store, clock, plan } = engine;
  const token = newToken();
  const attributes = (await save.foreseen) ?? save.record.attributes;
  const metadata = toMetadata(attributes, token);
  const storageClass = classOfNew(engine, slot.key, attributes.mode);
  // Not given up with the save: an upload whose id we have not heard could not be aborted.
  const uploadId = await lingering(engine, async (signal) => {
    return (await store.createUpload({ key: slot.key, metadata, storageClass }, signal)).uploadId;
  });
  step("upload.created");
  const record = { key: slot.key, uploadId, token, plan, createdAt: clock.now(), doubt: false };
  await recordOrAbort(engine, record);
  step("upload.recorded");
  slot.upload = new Upload(record, []);
  return slot.upload;
}

/** With a signal that comes a little later than the stop of the mount: an answer may be on its way. */
async function lingering<T>(
  { stop, clock }: Engine,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = newAbort();
  let cancel = (): void => {};
  const onStop = (): void => {
    cancel = clock.after(LINGER_MS, () => late.abort());
  };
  if (stop.aborted) late.abort();
  stop.addEventListener("abort", onStop, { once: true });
  try {
    return await task(late.signal);
  } finally {
    stop.removeEventListener("abort", onStop);
    cancel();
  }
}

/** An upload that the catalog does not know would never be completed, nor aborted. */
async function recordOrAbort(engine: Engine, record: UploadRecord): Promise<void> {
  try {
    await engine.catalog.apply([{ put: "upload", record }], { sync: false });
  } catch (error) {
    engine.aborts.add(record.key, record.uploadId);
    throw error;
  }
}
