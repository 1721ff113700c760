// s3fs and rclone as targets, mounted as their users do it where programs are to work: rclone with its full cache, which is
// the only mode in which files can be written at random.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { exec, mustExec, until } from "../stage.ts";
import type { Mounter } from "./mount-target.ts";
import type { SuiteStore } from "./stores.ts";
import type { Wanted } from "./targets.ts";
import { installDebian, versionOf } from "./tools.ts";

export async function s3fs({ base, signal }: Wanted, store: SuiteStore): Promise<Mounter> {
  const program = await installDebian("s3fs", "s3fs", signal);
  const { accessKeyId, secretAccessKey } = store.keys;
  const passwords = join(base, "passwd-s3fs");
  await writeFile(passwords, `${accessKeyId}:${secretAccessKey}\n`, { mode: 0o600 });
  await chmod(passwords, 0o600);
  const shown = "use_path_request_style,allow_other";
  const hidden = `url=${store.endpoint},endpoint=${store.region},passwd_file=${passwords}`;
  const log = join(base, "mount.log");
  const start = (dir: string): ChildProcess =>
    foreground([program, store.bucket, dir, "-f", "-o", `${shown},${hidden}`], log, {});
  return {
    what: `${(await versionOf(program)).replace(/.*(V[\d.]+).*/, "s3fs $1")} -o ${shown}`,
    start,
    unmount: async (dir) => void (await mustExec(["timeout", "120", "umount", dir])),
    stateDir: join(base, "no-state"),
    log,
  };
}

export async function rclone({ base, signal }: Wanted, store: SuiteStore): Promise<Mounter> {
  const program = await installDebian("rclone", "rclone", signal);
  await installDebian("fusermount3", "fuse3", signal);
  const cache = join(base, "cache");
  const log = join(base, "mount.log");
  const shown = ["--vfs-cache-mode", "full", "--vfs-write-back", "1s"];
  const rights = ["--allow-other", "--default-permissions"];
  const control = `127.0.0.1:${await freePort()}`;
  const hidden = ["--cache-dir", cache, "--rc", "--rc-no-auth", "--rc-addr", control];
  const start = (dir: string): ChildProcess =>
    foreground(
      [program, "mount", `:s3:${store.bucket}`, dir, ...shown, ...rights, ...hidden],
      log,
      rcloneEnv(store),
    );
  return {
    what: `${(await mustExec([program, "version"])).split("\n")[0]} ${[...shown, ...rights].join(" ")}`,
    start,
    unmount: async (dir) => {
      await until(() => allUploaded(program, control), { timeoutMs: 120_000 });
      await mustExec(["timeout", "120", "umount", dir]);
    },
    stateDir: cache,
    log,
  };
}

function rcloneEnv({ endpoint, region, keys }: SuiteStore): NodeJS.ProcessEnv {
  return {
    RCLONE_CONFIG: "/dev/null",
    // It cannot do with a bundle of its own, and needs none: the store is on loopback, without encryption.
    AWS_CA_BUNDLE: undefined,
    RCLONE_S3_PROVIDER: "Other",
    RCLONE_S3_ENDPOINT: endpoint,
    RCLONE_S3_REGION: region,
    RCLONE_S3_ACCESS_KEY_ID: keys.accessKeyId,
    RCLONE_S3_SECRET_ACCESS_KEY: keys.secretAccessKey,
  };
}

/** Its unmount does not wait for what is still to be uploaded. */
async function allUploaded(program: string, control: string): Promise<true | undefined> {
  const { code, stdout } = await exec([program, "rc", "--url", `http://${control}/`, "vfs/stats"]);
  if (code !== 0) throw new Error("rclone does not answer at its control port");
  const { diskCache } = JSON.parse(stdout) as {
    diskCache: { uploadsInProgress: number; uploadsQueued: number };
  };
  return diskCache.uploadsInProgress + diskCache.uploadsQueued === 0 ? true : undefined;
}

function foreground(
  [program, ...args]: readonly [string, ...string[]],
  log: string,
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const to = openSync(log, "a");
  const child = spawn(program, args, {
    stdio: ["ignore", to, to],
    detached: true,
    env: { ...process.env, ...env },
  });
  closeSync(to);
  return child;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null
          ? resolve(address.port)
          : reject(new Error("no port")),
      );
    });
  });
}
