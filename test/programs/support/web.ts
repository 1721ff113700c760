// A small web server on loopback for programs that download: files of a directory, ranges of them, and with `?cut=N` a
// connection that breaks after N bytes.

import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";

export interface Web extends AsyncDisposable {
  readonly url: string;
}

export async function startWeb(dir: string): Promise<Web> {
  const server = http.createServer((request, response) => {
    answer(dir, request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  dir: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const file = join(dir, decodeURIComponent(url.pathname));
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return void response.writeHead(404).end();
  const { from, to, partial } = rangeOf(request.headers.range, found.size);
  response.writeHead(partial ? 206 : 200, {
    "accept-ranges": "bytes",
    "content-length": to - from,
    "last-modified": found.mtime.toUTCString(),
    ...(partial ? { "content-range": `bytes ${from}-${to - 1}/${found.size}` } : {}),
  });
  if (request.method === "HEAD") return void response.end();
  const bytes = (await readFile(file)).subarray(from, to);
  const cut = url.searchParams.get("cut");
  if (cut === null) return void response.end(bytes);
  response.write(bytes.subarray(0, Number(cut)), () => response.destroy());
}

function rangeOf(
  header: string | undefined,
  size: number,
): { from: number; to: number; partial: boolean } {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return { from: 0, to: size, partial: false };
  const to = last === undefined || last === "" ? size : Math.min(Number(last) + 1, size);
  return { from: Number(first), to, partial: true };
}
