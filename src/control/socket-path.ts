// A Unix socket's address has room for 107 bytes, and a state directory may be deeper than that.

import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";

const ADDRESS_SIZE_MAX = 107;

/**
 * Calls `use` with an address for `socket` that fits: through a descriptor of its directory where the path is too long.
 * The address is valid until `use` has settled.
 */
export async function withSocketPath<T>(
  socket: string,
  use: (address: string) => Promise<T>,
): Promise<T> {
  if (Buffer.byteLength(socket) <= ADDRESS_SIZE_MAX) return use(socket);
  const directory: FileHandle = await open(path.dirname(socket), "r");
  try {
    return await use(`/proc/self/fd/${directory.fd}/${path.basename(socket)}`);
  } finally {
    await directory.close();
  }
}
