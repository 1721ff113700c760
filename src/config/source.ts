// What is mounted: `[s3://]BUCKET[/PREFIX]`.

import { badValue } from "./bad-value.ts";

export interface Source {
  readonly bucket: string;
  /** "" or ending with `/`. */
  readonly prefix: string;
}

const WHAT = "the bucket";
/** S3's rule, with the capitals and underscores that old buckets have. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
/** A prefix takes room in every key; more leaves too little for names. */
const PREFIX_SIZE_MAX = 512;

/** @throws `Config` when `text` names no bucket. */
export function parseSource(text: string): Source {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme !== null && scheme[1]?.toLowerCase() !== "s3" && scheme[1]?.toLowerCase() !== "kodo")
    throw badValue(
      WHAT,
      hideUser(text),
      "write it as BUCKET[/PREFIX] or s3://BUCKET[/PREFIX]; the server goes to '--endpoint'",
    );
  const path = text.slice(scheme?.[0].length ?? 0);
  const slash = path.indexOf("/");
  const bucket = slash < 0 ? path : path.slice(0, slash);
  if (!BUCKET.test(bucket))
    throw badValue(
      WHAT,
      hideUser(text),
      "a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'; write it as BUCKET[/PREFIX] or s3://BUCKET[/PREFIX]",
    );
  return { bucket, prefix: slash < 0 ? "" : parsePrefix(path.slice(slash + 1), text) };
}

/** `s3://BUCKET/PREFIX`, without a slash at its end. */
export function formatSource({ bucket, prefix }: Source): string {
  return prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix.slice(0, -1)}`;
}

function parsePrefix(path: string, text: string): string {
  const prefix = path.replace(/\/+$/, "");
  if (prefix === "") return "";
  if (prefix.split("/").some((name) => name === "" || name === "." || name === ".."))
    throw badValue(WHAT, hideUser(text), "the prefix must not have empty names, '.' or '..' in it");
  if (/[\0-\x1f\x7f]/.test(prefix))
    throw badValue(WHAT, hideUser(text), "the prefix must not have control characters in it");
  if (Buffer.byteLength(prefix) > PREFIX_SIZE_MAX)
    throw badValue(WHAT, undefined, `the prefix can have at most ${PREFIX_SIZE_MAX} bytes`);
  return `${prefix}/`;
}

/** Somebody who writes keys into the address must not find them in a log. */
function hideUser(text: string): string {
  return text.includes("@") ? `***${text.slice(text.lastIndexOf("@"))}` : text;
}
