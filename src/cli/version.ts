// The package's own version, from the file beside `src` and `dist`.

import { readFileSync } from "node:fs";
import { invariant } from "../base/mod.ts";

/** As in package.json. */
export function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  invariant(
    typeof parsed === "object" && parsed !== null && "version" in parsed,
    "package.json has a version",
  );
  return String(parsed.version);
}
