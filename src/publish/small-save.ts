// Rules for saves of one part or less.

import { createHash } from "node:crypto";
import { type PartNumber, type Sha256, toSha256 } from "../model/mod.ts";
import type { Content } from "./content.ts";
import type { Save } from "./save.ts";

/** SHA-256 of the empty string. */
export const SHA256_OF_NOTHING: Sha256 = toSha256(
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
);

/** A small one is hashed here and now: to ask the worker would take longer. */
export function sealSmall(content: Content, only: PartNumber, bytes: Buffer): Sha256 | undefined {
  const part = content.part(only);
  if (part.kind === "sealed") return part.sha256;
  if (part.kind !== "frozen") return undefined;
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  return content.seal(only, part.rev, sha256)?.sha256;
}

/** What was modified most likely is modified again, and then its bytes are here. */
export function isWorthKeeping({ content, isModification }: Save): boolean {
  return isModification && content.partCount === 1;
}
