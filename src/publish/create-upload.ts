// A new upload at the store, which the catalog knows before anything is sent to it.

import { step } from "../base/mod.ts";
import type { UploadRecord } from "../catalog/mod.ts";
import { toMetadata } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { newToken } from "./ids.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";
import { Upload } from "./upload.ts";

/** The upload of `slot` from now on, with the attributes of `save`. @throws as the store and the catalog. */
export async function createUpload(engine: Engine, slot: Slot, save: Save): Promise<Upload> {
  const { store, clock, plan, stop } = engine;
  const token = newToken();
  const attributes = (await save.foreseen) ?? save.record.attributes;
  const metadata = toMetadata(attributes, token);
  // Not given up with the save: an upload whose id we have not heard could not be aborted.
  const { uploadId } = await store.createUpload({ key: slot.key, metadata }, stop);
  step("upload.created");
  const record = { key: slot.key, uploadId, token, plan, createdAt: clock.now(), doubt: false };
  await recordOrAbort(engine, record);
  step("upload.recorded");
  slot.upload = new Upload(record, []);
  return slot.upload;
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
