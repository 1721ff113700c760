// A value is `VERSION CRC JSON`. What comes back is checked before it is believed.

import { KodomountError, toError } from "../base/mod.ts";
import { crc32c } from "./crc32c.ts";

/** Of the layout of keys and records; grows with every change that an older program would misread. */
export const SCHEMA_VERSION = 1;

export function encode(record: unknown): string {
  const json = JSON.stringify(record);
  return `${SCHEMA_VERSION} ${crc32c(json)} ${json}`;
}

/** @throws `Corrupt` when the text is not what `encode` made. The caller knows the type by the key. */
export function decode(key: string, text: string): unknown {
  const [version, crc] = text.split(" ", 2);
  const json = text.slice((version?.length ?? 0) + (crc?.length ?? 0) + 2);
  if (version !== String(SCHEMA_VERSION) || crc !== crc32c(json)) throw corrupt(key);
  try {
    return JSON.parse(json);
  } catch (error) {
    throw corrupt(key, toError(error));
  }
}

function corrupt(key: string, cause?: Error): KodomountError {
  return new KodomountError("Corrupt", `The catalog's record ${JSON.stringify(key)} is damaged`, {
    cause,
  });
}
