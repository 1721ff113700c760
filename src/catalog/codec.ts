// A value is `FORMAT CRC JSON`. The CRC covers the key too: a value that turns up under another key is damage as well.

import { KodomountError, toError } from "../base/mod.ts";
import { crc32c } from "./crc32c.ts";

/** Of this envelope only; what is inside has the version of the schema (`meta.ts`). */
const FORMAT = "1";

/** @param value what JSON can hold; numbers are finite. */
export function encode(key: string, value: unknown): string {
  const json = JSON.stringify(value);
  return `${FORMAT} ${checksum(key, json)} ${json}`;
}

/** What was encoded under `key`; its type follows from the key. @throws `Corrupt` for any other text. */
export function decode(key: string, text: string): unknown {
  const match = /^1 ([0-9a-f]{8}) /.exec(text);
  const json = text.slice(match?.[0].length ?? 0);
  if (match === null || match[1] !== checksum(key, json)) throw damaged(key);
  try {
    return JSON.parse(json);
  } catch (error) {
    throw damaged(key, toError(error));
  }
}

function checksum(key: string, json: string): string {
  return crc32c(Buffer.from(`${key}\0${json}`))
    .toString(16)
    .padStart(8, "0");
}

function damaged(key: string, cause?: Error): KodomountError {
  return new KodomountError("Corrupt", `The catalog's record ${JSON.stringify(key)} is damaged`, {
    cause,
  });
}
