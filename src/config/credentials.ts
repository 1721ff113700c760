// Where keys come from. They are never taken from arguments, and no message has more of them than the variable's name.

import { KodomountError } from "../base/mod.ts";
import type { ProviderName } from "../model/mod.ts";
import { badValue } from "./bad-value.ts";

/** Fixed keys, or an AWS profile that is resolved, and renewed, later. */
export type Credentials =
  | {
      readonly kind: "static";
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    }
  | { readonly kind: "profile"; readonly profile: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that hold keys: a background process gets them another way, so that its environment is clean. */
export const SECRET_VARIABLES: readonly string[] = [
  "KODO_ACCESS_KEY",
  "KODO_SECRET_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
];

/**
 * In this order: `--profile`, KODO_ACCESS_KEY and KODO_SECRET_KEY (not for AWS), the AWS variables, AWS_PROFILE, the
 * default profile when there is a file of them. What is asked for by an option wins over what happens to be set.
 * @throws `Config` when there are none, or half of a pair.
 */
export function findCredentials(request: {
  readonly profile: string | undefined;
  readonly provider: ProviderName;
  readonly env: Environment;
  /** Whether a profile named `default` may be tried. */
  readonly hasProfiles: boolean;
}): Credentials {
  const { profile, provider, env, hasProfiles } = request;
  if (profile === "")
    throw badValue("'--profile'", "", "it must be the name of a profile in ~/.aws/credentials");
  if (profile !== undefined) return { kind: "profile", profile };
  const kodo = provider === "aws" ? undefined : pair(env, "KODO_ACCESS_KEY", "KODO_SECRET_KEY");
  if (kodo !== undefined) return kodo;
  const aws = pair(env, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
  const sessionToken = env["AWS_SESSION_TOKEN"];
  if (aws !== undefined) return sessionToken ? { ...aws, sessionToken } : aws;
  const named = env["AWS_PROFILE"];
  if (named) return { kind: "profile", profile: named };
  if (hasProfiles) return { kind: "profile", profile: "default" };
  throw new KodomountError(
    "Config",
    "There are no keys for the store: set KODO_ACCESS_KEY and KODO_SECRET_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or name a profile of ~/.aws/credentials by '--profile'",
  );
}

function pair(
  env: Environment,
  id: string,
  secret: string,
): (Credentials & { kind: "static" }) | undefined {
  const accessKeyId = env[id];
  const secretAccessKey = env[secret];
  if (!accessKeyId && !secretAccessKey) return undefined;
  if (!accessKeyId || !secretAccessKey)
    throw new KodomountError(
      "Config",
      `${accessKeyId ? id : secret} is set but ${accessKeyId ? secret : id} is not: set both`,
    );
  for (const [name, value] of [
    [id, accessKeyId],
    [secret, secretAccessKey],
  ] as const)
    if (/\s/.test(value))
      throw new KodomountError(
        "Config",
        `${name} has a space or a line break in it: it was not copied right`,
      );
  return { kind: "static", accessKeyId, secretAccessKey };
}
