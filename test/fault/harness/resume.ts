// How many bytes are sent twice when the mount, or the program that saves, is killed in the middle of a large file, which is
// then saved again: measured by a proxy before the store.

import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CountingProxy, startCountingProxy } from "../../support/counting-proxy.ts";
import { type Endpoint, sh, start, TestMount, until } from "../../support/mount.ts";

/** Where the kill falls: when a share of the bytes has gone out, or at the `count`th time that a step is reached. */
export type KillPoint =
  | { readonly share: number }
  | { readonly step: string; readonly count: number };

export interface Kill {
  readonly who: "mount" | "writer";
  readonly at: KillPoint;
}

export interface Measured {
  /** Bytes of request bodies from first to last, over those of the file. */
  readonly sentTwice: number;
  /** Bytes of the parts that may be under way at once: more than this must not be sent twice. */
  readonly inFlight: number;
}

export interface ResumeOptions {
  /** An empty directory. */
  readonly base: string;
  readonly store: Endpoint;
  /** Bytes of the file. */
  readonly size: number;
  readonly partSize: number;
  /** Parts under way at once. */
  readonly uploads: number;
  /** Bytes a second that the link takes, so that a moment can be met. */
  readonly bytesPerSecond: number;
}

/** XML of requests that are no parts. */
const OTHER_BODIES = 256 * 1024;
const FILE = "checkpoint";

/** Kills once, in a mount with a state of its own. @throws when the kill did not happen, or the file is not what was saved. */
export async function measureResume(options: ResumeOptions, kill: Kill): Promise<Measured> {
  const { base, store, size, partSize, uploads, bytesPerSecond } = options;
  await using proxy = await startCountingProxy(store.endpoint);
  proxy.pace(bytesPerSecond);
  const endpoint = { ...store, endpoint: proxy.endpoint };
  const flags = ["--uploads", String(uploads), "--part-size", String(partSize)];
  await using mount = new TestMount(base, endpoint, flags);
  const [source, pidFile] = [join(base, "source"), join(base, "pid")];
  await mkdir(base, { recursive: true });
  await writeFile(source, randomBytes(size));
  await rm(pidFile, { force: true });
  await mount.start(killAt(kill, pidFile));
  const line = `sh -c 'echo $$ > ${pidFile}; exec cp ${source} ${mount.dir}/${FILE}'`;
  const program = start(line, mount.env);
  if ("share" in kill.at)
    await killByShare(proxy, kill, { mount, program, bytes: kill.at.share * size });
  const { code, signal } = await program.ended;
  if (kill.who === "writer" && code === 0) throw new Error("cp ended before it could be killed");
  if (kill.who === "mount" && code === 0 && signal === null && "share" in kill.at)
    throw new Error("cp ended before the mount could be killed");
  if (kill.who === "mount") {
    await mount.died();
    await mount.start();
  }
  await sh(`cp ${source} ${mount.dir}/${FILE}`, mount.env, 600_000);
  await sh(`cmp ${source} ${mount.dir}/${FILE}`, mount.env, 600_000);
  const { bytesUp } = proxy.counts();
  await sh(`rm ${mount.dir}/${FILE}`, mount.env);
  const { code: unmounted, stderr } = await mount.unmount();
  if (unmounted !== 0) throw new Error(`unmount ended with ${unmounted}: ${stderr}`);
  return {
    sentTwice: Math.max(0, bytesUp - size - OTHER_BODIES),
    inFlight: uploads * partSize,
  };
}

function killAt({ who, at }: Kill, pidFile: string): NodeJS.ProcessEnv {
  if (!("step" in at)) return {};
  const file = who === "writer" ? `:${pidFile}` : "";
  return { KODOMOUNT_KILL_AT: `${at.step}:${at.count}${file}` };
}

async function killByShare(
  proxy: CountingProxy,
  { who }: Kill,
  scene: { mount: TestMount; program: ReturnType<typeof start>; bytes: number },
): Promise<void> {
  const { mount, program, bytes } = scene;
  await until(`${bytes} bytes are sent`, () => proxy.counts().bytesUp >= bytes, 600_000);
  if (who === "writer") program.kill("SIGKILL");
  else await mount.kill();
}
