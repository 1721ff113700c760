// What uploads a file over the weak link: kodomount, and what people use today, each with its defaults.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestMount, until } from "../../test/support/mount.ts";
import { BUCKET, type Place } from "./store.ts";

export interface Job {
  readonly place: Place;
  /** What is uploaded, as `KEY` in the bucket. */
  readonly file: string;
  /** For what the tool needs; empty. */
  readonly dir: string;
  /** More arguments for `kodomount mount`. */
  readonly mountOptions: readonly string[];
}

/** What is to be timed and watched: `command` runs until the file is in the bucket. */
export interface Prepared extends AsyncDisposable {
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** The process that does the work, when it is not the command. */
  readonly pid?: number;
}

export interface Tool {
  /** Why it cannot be used here. */
  readonly why: () => string | undefined;
  readonly prepare: (job: Job) => Promise<Prepared>;
}

const KEY = "object";
const nothing = { [Symbol.asyncDispose]: async (): Promise<void> => {} };

const BOTO3 = `
import boto3, os, sys
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name=sys.argv[2], config=Config(s3={"addressing_style": "path"}))
s3.upload_file(sys.argv[3], sys.argv[4], sys.argv[5])
`;

export const TOOLS: Readonly<Record<string, Tool>> = {
  kodomount: { why: () => undefined, prepare: kodomount },
  curl: { why: () => missing("curl"), prepare: curl },
  boto3: {
    why: () => (succeeds("python3", ["-c", "import boto3"]) ? undefined : "there is no boto3"),
    prepare: async ({ place, file }) => ({
      command: ["python3", "-c", BOTO3, place.endpoint, place.region, file, BUCKET, KEY],
      env: awsKeys(place),
      ...nothing,
    }),
  },
  rclone: { why: () => missing("rclone"), prepare: rclone },
  s3fs: { why: () => missing("s3fs"), prepare: s3fs },
};

/** Its own time limits and retries, as it is installed; closes when the object is in the bucket. */
async function kodomount(job: Job): Promise<Prepared> {
  const { place, file, dir, mountOptions } = job;
  const endpoint = { ...place, bucket: BUCKET, provider: "kodo" as const };
  const options = ["--allow-http", ...mountOptions];
  const mount = new TestMount(dir, endpoint, options);
  await mount.start();
  return {
    command: ["cp", file, join(mount.dir, KEY)],
    pid: (await mount.status()).pid,
    [Symbol.asyncDispose]: () => mount[Symbol.asyncDispose](),
  };
}

/** One PUT, tried again from its start. */
async function curl({ place, file }: Job): Promise<Prepared> {
  const { endpoint, accessKeyId, secretAccessKey, region } = place;
  return {
    command: [
      ...(["curl", "--silent", "--show-error", "--fail", "--retry", "100"] as const),
      ...["--retry-all-errors", "--retry-max-time", "0", "--aws-sigv4", `aws:amz:${region}:s3`],
      ...["--user", `${accessKeyId}:${secretAccessKey}`, "--output", "/dev/null"],
      ...["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--upload-file", file],
      `${endpoint}/${BUCKET}/${KEY}`,
    ],
    ...nothing,
  };
}

async function rclone({ place, file }: Job): Promise<Prepared> {
  return {
    command: ["rclone", "copyto", file, `weak:${BUCKET}/${KEY}`],
    env: {
      RCLONE_CONFIG: "/dev/null",
      // It cannot take a bundle of certificates from there, and ends.
      AWS_CA_BUNDLE: undefined,
      RCLONE_CONFIG_WEAK_TYPE: "s3",
      RCLONE_CONFIG_WEAK_PROVIDER: "Other",
      RCLONE_CONFIG_WEAK_ENDPOINT: place.endpoint,
      RCLONE_CONFIG_WEAK_REGION: place.region,
      RCLONE_CONFIG_WEAK_ACCESS_KEY_ID: place.accessKeyId,
      RCLONE_CONFIG_WEAK_SECRET_ACCESS_KEY: place.secretAccessKey,
    },
    ...nothing,
  };
}

async function s3fs({ place, file, dir }: Job): Promise<Prepared> {
  const mountPoint = join(dir, "s3fs");
  const keys = join(dir, "keys");
  await mkdir(mountPoint);
  await writeFile(keys, `${place.accessKeyId}:${place.secretAccessKey}`, { mode: 0o600 });
  const options = `url=${place.endpoint},use_path_request_style,passwd_file=${keys},endpoint=${place.region}`;
  const daemon = spawn("s3fs", [BUCKET, mountPoint, "-f", "-o", options], { stdio: "ignore" });
  const exited = once(daemon, "exit");
  const isMounted = async (): Promise<boolean> =>
    (await readFile("/proc/self/mounts", "utf8")).includes(` ${mountPoint} `);
  await until("s3fs is mounted", isMounted);
  return {
    command: ["cp", file, join(mountPoint, KEY)],
    pid: daemon.pid ?? 0,
    async [Symbol.asyncDispose]() {
      spawnSync("umount", ["-l", mountPoint]);
      daemon.kill("SIGKILL");
      await exited;
    },
  };
}

function awsKeys(place: Place): NodeJS.ProcessEnv {
  return {
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}

function missing(program: string): string | undefined {
  return succeeds("sh", ["-c", `command -v ${program}`]) ? undefined : `there is no ${program}`;
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}
