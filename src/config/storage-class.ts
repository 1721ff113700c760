// `--storage-class [PATTERN=]CLASS`.

import { PROVIDERS, type ProviderName, StorageClasses, type StorageRule } from "../model/mod.ts";
import { badValue } from "./bad-value.ts";

/** @throws `Config` for a class that the store does not have, or a pattern that can be none. */
export function parseStorageClasses(
  given: readonly string[],
  provider: ProviderName,
): readonly StorageRule[] {
  const rules = given.map((text): StorageRule => {
    const equals = text.lastIndexOf("=");
    const storageClass = text.slice(equals + 1);
    assertKnown(text, storageClass, provider);
    return equals < 0 ? { storageClass } : { pattern: text.slice(0, equals), storageClass };
  });
  new StorageClasses(rules);
  return rules;
}

/** Of other stores nobody knows which classes they have. */
function assertKnown(text: string, storageClass: string, provider: ProviderName): void {
  const { storageClasses } = PROVIDERS[provider];
  if (
    provider === "generic"
      ? /^[A-Z][A-Z0-9_]*$/.test(storageClass)
      : storageClasses.includes(storageClass)
  )
    return;
  const known = `${storageClasses.slice(0, -1).join(", ")} or ${storageClasses.at(-1)}`;
  throw badValue(
    "'--storage-class'",
    text,
    provider === "generic"
      ? "it must be CLASS or PATTERN=CLASS, with a class in capitals, such as STANDARD"
      : `it must be CLASS or PATTERN=CLASS, and the classes of this store are ${known}`,
  );
}
