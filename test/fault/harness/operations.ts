// What programs do, as data: the same list is played without a kernel, and by a real process on a real mount.

/** `file` names an open file of the program. */
export type Operation =
  | { readonly do: "mkdir"; readonly path: string }
  /** O_CREAT and O_TRUNC; `private`: as mkstemp(3) does it. */
  | { readonly do: "create"; readonly file: string; readonly path: string; readonly private?: true }
  | { readonly do: "open"; readonly file: string; readonly path: string; readonly append?: true }
  /** Content of that name and version, which belongs to this place. */
  | {
      readonly do: "write";
      readonly file: string;
      readonly at: number;
      readonly name: string;
      readonly version: number;
      readonly size: number;
    }
  | { readonly do: "truncate"; readonly file: string; readonly size: number }
  | { readonly do: "fsync"; readonly file: string }
  | { readonly do: "close"; readonly file: string }
  | { readonly do: "rename"; readonly from: string; readonly to: string }
  | { readonly do: "unlink"; readonly path: string }
  /** A program of others, which saves these files; only on a real mount. */
  | { readonly do: "run"; readonly argv: readonly string[]; readonly saves: readonly Saved[] };

/** All of a file, in one version. */
export interface Saved {
  readonly path: string;
  readonly name: string;
  readonly version: number;
  readonly size: number;
}

/** A content that is written piece by piece from its beginning. */
export function writes(
  file: string,
  content: { name: string; version: number; size: number },
  pieceSize: number,
): Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; at < content.size; at += pieceSize)
    operations.push({
      do: "write",
      file,
      ...content,
      at,
      size: Math.min(pieceSize, content.size - at),
    });
  return operations;
}

/** Where the files end up. */
export function keysOf(operations: readonly Operation[]): string[] {
  const keys = operations.flatMap((operation) => {
    if (operation.do === "create" && operation.private !== true) return [operation.path];
    if (operation.do === "run") return operation.saves.map(({ path }) => path);
    return operation.do === "rename" ? [operation.to] : [];
  });
  return [...new Set(keys)];
}
