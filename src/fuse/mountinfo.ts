// /proc/PID/mountinfo: what is mounted where. Pure.

export interface MountedAt {
  readonly id: number;
  /** `major:minor` of the device, as in `st_dev`. */
  readonly device: string;
  readonly dir: string;
  readonly type: string;
  readonly source: string;
}

/** One entry a line, in order of mounting: of several at one place the last one is seen. */
export function parseMountinfo(text: string): MountedAt[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
}

/** The device of each mount by its id. */
export function devicesOfMounts(text: string): Map<number, string> {
  return new Map(parseMountinfo(text).map(({ id, device }) => [id, device]));
}

/** What is mounted at exactly `dir`, an absolute path without links. */
export function findMountAt(mountinfo: string, dir: string): MountedAt | undefined {
  return parseMountinfo(mountinfo).findLast((mounted) => mounted.dir === dir);
}

/** `36 35 98:0 /root /dir options optional... - type source options` */
function parseLine(line: string): MountedAt {
  const [before = "", after = ""] = line.split(" - ");
  const [id = "", , device = "", , dir = ""] = before.split(" ");
  const [type = "", source = ""] = after.split(" ");
  return { id: Number(id), device, dir: unescape(dir), type, source: unescape(source) };
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
