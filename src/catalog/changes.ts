// What a change means for keys and values. Values are checked here before they are written.

import { describe, KodomountError } from "../base/mod.ts";
import { encode } from "./codec.ts";
import type { JournalStep } from "./journal.ts";
import {
  abortKey,
  ackKey,
  ackPrefix,
  dataKey,
  objectKey,
  partKey,
  partPrefix,
  replyKey,
  saveKey,
  uploadKey,
  wantKey,
} from "./keys.ts";
import {
  parseAbort,
  parseAck,
  parseData,
  parseObject,
  parsePart,
  parseReply,
  parseSave,
  parseUpload,
  parseWant,
} from "./parse.ts";
import type { Change } from "./records.ts";

type Put = Extract<Change, { put: string }>;
type Del = Extract<Change, { del: string }>;

/** @throws `Programmer` for a record that could not be read again. */
export function toSteps(change: Change): JournalStep[] {
  if ("del" in change) return toDeletions(change);
  try {
    return [toPut(change)];
  } catch (error) {
    throw new KodomountError(
      "Programmer",
      `Cannot write what could not be read again: ${describe(error)}`,
      { cause: error },
    );
  }
}

/** The step that puts `value`, which has been checked. */
export function put(key: string, value: unknown): JournalStep {
  return { type: "put", key, value: encode(key, value) };
}

function toPut(change: Put): JournalStep {
  switch (change.put) {
    case "save": {
      const record = parseSave(change.record);
      return put(saveKey(record.id), record);
    }
    case "part": {
      const record = parsePart(change.record);
      return put(partKey(record.save, record.partNumber), record);
    }
    case "data": {
      const { bytes, ...rest } = change.record;
      const record = { ...rest, base64: Buffer.from(bytes).toString("base64") };
      parseData(record);
      return put(dataKey(rest.save, rest.index), record);
    }
    case "upload": {
      const record = parseUpload(change.record);
      return put(uploadKey(record.key, record.uploadId), record);
    }
    case "ack": {
      const record = parseAck(change.record);
      return put(ackKey(record.uploadId, record.partNumber), record);
    }
    case "want":
      return put(wantKey(change.key), parseWant(change.want));
    case "object": {
      const record = parseObject(change.record);
      return put(objectKey(record.key), record);
    }
    case "abort":
      return put(abortKey(change.uploadId), { key: parseAbort({ key: change.key }) });
    case "reply": {
      const record = parseReply(change.record);
      return put(replyKey(record.unique), record);
    }
  }
}

function toDeletions(change: Del): JournalStep[] {
  switch (change.del) {
    case "save":
      return [{ type: "del", key: saveKey(change.id) }];
    case "part":
      return [{ type: "del", key: partKey(change.save, change.partNumber) }];
    case "parts":
      return [{ type: "delNumbered", prefix: partPrefix(change.save) }];
    case "data":
      return [{ type: "del", key: dataKey(change.save, change.index) }];
    case "upload":
      return [
        { type: "del", key: uploadKey(change.key, change.uploadId) },
        { type: "delNumbered", prefix: ackPrefix(change.uploadId) },
      ];
    case "ack":
      return [{ type: "del", key: ackKey(change.uploadId, change.partNumber) }];
    case "want":
      return [{ type: "del", key: wantKey(change.key) }];
    case "object":
      return [{ type: "del", key: objectKey(change.key) }];
    case "abort":
      return [{ type: "del", key: abortKey(change.uploadId) }];
  }
}
