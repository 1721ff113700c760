// Installs what the suites need: crates by cargo with their versions pinned, Debian packages by apt-get.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { exec } from "../stage.ts";
import { say } from "./programs.ts";
import { Missing } from "./types.ts";

/** The path of a program of a crate. Installed where cargo installs: a second run finds it there. */
export async function installCrate(
  crate: string,
  version: string,
  signal: AbortSignal,
): Promise<string> {
  const home = process.env["CARGO_HOME"] ?? join(homedir(), ".cargo");
  const path = join(home, "bin", crate);
  if (await says(path, version)) return path;
  const cargo = (await findProgram("cargo")) ?? join(home, "bin", "cargo");
  if (!existsSync(cargo))
    throw new Missing(`cargo is missing, and ${crate} ${version} is not installed`);
  say(`installing ${crate} ${version} (cargo, some minutes)`);
  const { code, stderr } = await exec(
    [cargo, "install", "--quiet", "--locked", "--force", `${crate}@${version}`],
    { signal },
  );
  if (code !== 0) throw new Missing(`'cargo install ${crate}@${version}' failed: ${stderr}`);
  return path;
}

async function says(path: string, version: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  return (await exec([path, "--version"])).stdout.includes(version);
}

/** The path of a program of a Debian package. */
export async function installDebian(
  program: string,
  debianPackage: string,
  signal: AbortSignal,
): Promise<string> {
  const found = await findProgram(program);
  if (found !== undefined) return found;
  if ((await findProgram("apt-get")) === undefined)
    throw new Missing(`${program} is missing and this is no Debian: install it yourself`);
  say(`installing the Debian package ${debianPackage}`);
  const options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await exec(["apt-get", ...options, "update"], { env, signal });
  const install = ["install", "--no-install-recommends", debianPackage];
  const { code, stderr } = await exec(["apt-get", ...options, ...install], { env, signal });
  const path = await findProgram(program);
  if (code !== 0 || path === undefined)
    throw new Missing(`'apt-get install ${debianPackage}' failed: ${stderr}`);
  return path;
}

async function findProgram(name: string): Promise<string | undefined> {
  const { code, stdout } = await exec(["sh", "-c", `command -v ${name}`]);
  return code === 0 ? stdout : undefined;
}

/** The first line of what `PROGRAM --version` says. */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await exec([program, "--version"]);
  return stdout.split("\n")[0] ?? "";
}
