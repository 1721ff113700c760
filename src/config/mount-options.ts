// `-o a,b=c` as fstab and mount(8) give it: our own options by the same names, and the usual ones that mean nothing here.

import { badValue } from "./bad-value.ts";
import type { MountFlags } from "./mount-flags.ts";

/** Options with a value, by their name in `-o`. */
const VALUES: Readonly<Record<string, keyof MountFlags>> = {
  close: "close",
  "close-lag": "closeLag",
  "persist-attributes": "persistAttributes",
  "state-dir": "stateDir",
  "spill-limit": "spillLimit",
  "read-memory": "readMemory",
  "cache-dir": "cacheDir",
  "cache-size": "cacheSize",
  "list-ttl": "listTtl",
  "part-size": "partSize",
  uploads: "uploads",
  congestion: "congestion",
  provider: "provider",
  endpoint: "endpoint",
  "read-endpoint": "readEndpoint",
  region: "region",
  profile: "profile",
  log: "log",
};

/** May be given several times; each adds to the list. */
const LISTS: Readonly<Record<string, "hold" | "storageClass">> = {
  hold: "hold",
  "storage-class": "storageClass",
};

const SWITCHES: Readonly<Record<string, keyof MountFlags>> = {
  "allow-http": "allowHttp",
  "allow-other": "allowOther",
  "read-only": "readOnly",
  ro: "readOnly",
  foreground: "foreground",
};

/**
 * For mount(8) and systemd, or true here anyway: such a mount never has devices or set-user-id programs in it, and
 * keeps no times of access.
 */
const IGNORED: ReadonlySet<string> = new Set([
  ...["rw", "defaults", "auto", "noauto", "nofail", "-netdev", "async", "exec", "nosuid", "nodev"],
  ...[
    "user",
    "users",
    "nouser",
    "owner",
    "group",
    "relatime",
    "norelatime",
    "noatime",
    "nodiratime",
  ],
]);
const IGNORED_WITH_VALUE = /^(x-.*|comment|user)$/i;

/**
 * @param given what each `-o` had.
 * @throws `Config` for an option that is not known, or lacks its value.
 */
export function parseMountOptions(given: readonly string[]): MountFlags {
  const flags: Record<string, string | boolean> = {};
  const lists: { hold?: string[]; storageClass?: string[] } = {};
  const items = given.flatMap((list) => list.split(",")).map((item) => item.trim());
  const byUser = items.some((item) => /^(users?|owner|group)(=|$)/.test(item));
  for (const item of items) {
    if (item === "") continue;
    const equals = item.indexOf("=");
    const written = equals < 0 ? item : item.slice(0, equals);
    const name = written.replaceAll("_", "-");
    const value = equals < 0 ? undefined : item.slice(equals + 1);
    if (IGNORED_WITH_VALUE.test(name) || (IGNORED.has(name) && value === undefined)) continue;
    // mount(8) adds it where it lets users mount; asked for alone it would be a promise that is not kept.
    if (name === "noexec" && byUser) continue;
    const switched = SWITCHES[name];
    const valued = VALUES[name];
    const list = LISTS[name];
    if (list !== undefined && value) lists[list] = [...(lists[list] ?? []), value];
    else if (switched !== undefined && value === undefined) flags[switched] = true;
    else if (valued !== undefined && value !== undefined && value !== "") flags[valued] = value;
    else throw badValue("'-o'", written, explain(name, { switched, valued }));
  }
  return { ...flags, ...lists };
}

function explain(
  name: string,
  known: { switched: string | undefined; valued: string | undefined },
): string {
  if (known.switched !== undefined) return "it takes no value";
  if (known.valued !== undefined || name in LISTS) return `it needs a value: ${name}=...`;
  if (/key|secret|token|passw/i.test(name))
    return "keys are never taken from arguments; see 'kodomount mount --help'";
  return "there is no such option; see 'kodomount mount --help'";
}
