// Where a case plays: a bucket in the embedded store, a mount of it, a local directory for the same save, a web server and
// the environment that its lines see.

import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { silentLog, systemClock } from "../../../src/base/mod.ts";
import { type Emulator, type RequestEntry, startEmulator } from "../../../src/emulator/mod.ts";
import { sh, TestMount } from "../../support/mount.ts";
import { tempDir } from "../../support/temp.ts";
import type { ProgramCase } from "./case.ts";
import { startWeb } from "./web.ts";

export const BUCKET = "bucket";
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret", region: "test" };
const TREE = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");

export class Stage implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly mount: TestMount;
  readonly work: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #timeoutMs: number;
  readonly #ends: readonly AsyncDisposable[];

  private constructor(
    parts: { emulator: Emulator; mount: TestMount; work: string; url: string },
    timeoutMs: number,
    ends: readonly AsyncDisposable[],
  ) {
    this.emulator = parts.emulator;
    this.mount = parts.mount;
    this.work = parts.work;
    this.#env = environment(parts.work, parts.url);
    this.#timeoutMs = timeoutMs;
    this.#ends = ends;
  }

  /** With `$SRC` made, and the mount started. */
  static async open(one: ProgramCase): Promise<Stage> {
    const ends: AsyncDisposable[] = [];
    try {
      const stage = await Stage.#make(one, ends);
      await stage.#prepare(one.prepare ?? ":");
      return stage;
    } catch (error) {
      await endAll(ends);
      throw error;
    }
  }

  /** What is to end with the stage is in `ends` as soon as it has begun. */
  static async #make(one: ProgramCase, ends: AsyncDisposable[]): Promise<Stage> {
    const use = <T extends AsyncDisposable>(made: T): T => {
      ends.push(made);
      return made;
    };
    const work = use(await tempDir("programs")).path;
    for (const name of ["source", "local", "closed", "home"]) await mkdir(join(work, name));
    const emulator = use(
      await startEmulator({
        ...{ dir: join(work, "bucket"), buckets: [BUCKET], ...KEYS },
        ...{ clock: systemClock, log: silentLog },
      }),
    );
    const { url } = use(await startWeb(join(work, "source")));
    const { endpoint } = emulator;
    const store = { endpoint, ...KEYS, bucket: BUCKET, provider: "kodo" as const };
    const mount = use(new TestMount(work, store, one.mountOptions ?? ["--part-size", "1M"]));
    return new Stage({ emulator, mount, work, url }, one.timeoutMs ?? 60_000, ends);
  }

  get local(): string {
    return join(this.work, "local");
  }

  get closed(): string {
    return join(this.work, "closed");
  }

  /** The mount and the local directory see a copy each of what it has made: lines may change it. */
  async #prepare(line: string): Promise<void> {
    await sh(line, { ...this.#env, SRC: join(this.work, "source") }, this.#timeoutMs);
    await sh(`cp -a "$W/source" "$W/source-mount"; cp -a "$W/source" "$W/source-local"`, {
      W: this.work,
    });
    await this.mount.start();
  }

  onMount(line: string): Promise<string> {
    return this.#run(line, this.mount.dir, "source-mount");
  }

  onLocal(line: string): Promise<string> {
    return this.#run(line, this.local, "source-local");
  }

  #run(line: string, dir: string, source: string): Promise<string> {
    const env = { ...this.#env, DIR: dir, SRC: join(this.work, source), LOCAL: this.local };
    return sh(`cd "$WORK"; umask 022; ${line}`, env, this.#timeoutMs);
  }

  /** Everything that was closed is in the bucket then. */
  async unmount(): Promise<void> {
    const { code, stderr, stdout } = await this.mount.unmount();
    if (code !== 0) throw new Error(`unmount ended with ${code}: ${stderr}${stdout}`);
  }

  async wait(): Promise<void> {
    const { code, stderr, stdout } = await this.mount.command(["wait", this.mount.dir]);
    if (code !== 0) throw new Error(`wait ended with ${code}: ${stderr}${stdout}`);
  }

  /** What was asked since there were `from` requests. */
  requestsSince(from: number): RequestEntry[] {
    return this.emulator.requests().slice(from);
  }

  async objects(): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>();
    for (const { key } of this.emulator.objects(BUCKET))
      found.set(key, await buffer(this.emulator.read(BUCKET, key)));
    return found;
  }

  bytesInBucket(): number {
    return this.emulator.objects(BUCKET).reduce((sum, { size }) => sum + size, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endAll(this.#ends);
  }
}

/** The last one first; all of them, also when one fails. */
async function endAll(ends: readonly AsyncDisposable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const one of ends.toReversed())
    try {
      await one[Symbol.asyncDispose]();
    } catch (error) {
      errors.push(error);
    }
  if (errors.length > 0) throw new AggregateError(errors, "The stage could not be cleared");
}

/** What lines see. The home directory is empty, so that no setting of this machine's user counts. */
function environment(work: string, url: string): NodeJS.ProcessEnv {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return {
    WORK: work,
    CLOSED: join(work, "closed"),
    HOME: join(work, "home"),
    URL: url,
    TREE,
    PYTHON: process.env["KODOMOUNT_PYTHON"] ?? join(cache, "kodomount/programs-venv/bin/python"),
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    // Else it leaves a directory beside those of the tests.
    TORCHINDUCTOR_CACHE_DIR: join(work, "torchinductor"),
  };
}
