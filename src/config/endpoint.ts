// Which store is spoken to: provider, address and region, from whatever of them was given.

import { PROVIDERS, type ProviderName } from "../model/mod.ts";
import { badValue } from "./bad-value.ts";

export interface EndpointFlags {
  readonly provider?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly readEndpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly allowHttp?: boolean | undefined;
}

export interface Endpoint {
  readonly provider: ProviderName;
  /** With scheme, without a trailing slash. */
  readonly endpoint: string;
  readonly region: string;
}

/** `s3.cn-east-1.qiniucs.com`, and the older `s3-cn-east-1.qiniucs.com`. */
const KODO_HOST = /^s3[.-]([a-z0-9-]+)\.qiniucs\.com$/;
const AWS_HOST = /^s3(?:\.dualstack)?[.-]([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;
const REGION = /^[a-z0-9][a-z0-9_-]{0,62}$/i;

/**
 * @param flags as given on the command line.
 * @param hints `region`: of the AWS environment, for stores other than Kodo; `provider`: when nothing else tells.
 * @throws `Config` when they do not name one store, or contradict each other.
 */
export function parseEndpoint(
  flags: EndpointFlags,
  hints: { region: string | undefined; provider: ProviderName | undefined },
): Endpoint {
  const url = flags.endpoint === undefined ? undefined : parseUrl(flags.endpoint);
  const provider = parseProvider(flags.provider) ?? guessProvider(url) ?? hints.provider;
  if (provider === undefined)
    throw badValue(
      "the bucket",
      undefined,
      "which store it is in is not known; give '--endpoint URL', or '--provider kodo' or 'aws' with '--region'",
    );
  if (url !== undefined) assertAllowed("'--endpoint'", url, flags.allowHttp);
  const region = parseRegion(provider, flags.region, { url, hint: hints.region });
  const address = url?.origin ?? PROVIDERS[provider].endpoint?.replace("{region}", region);
  if (address === undefined)
    throw badValue(
      "'--provider'",
      provider,
      "such a store has no address of its own; give '--endpoint URL' too",
    );
  return { provider, endpoint: address, region };
}

/** Scheme, host and perhaps a path, without a trailing slash. @throws `Config`. */
export function parseReadEndpoint(flags: EndpointFlags): string | undefined {
  const { readEndpoint: text, allowHttp } = flags;
  if (text === undefined) return undefined;
  const what = "'--read-endpoint'";
  const url = parseAddress(what, text, "https://cdn.example.com");
  if (url.search !== "" || url.hash !== "")
    throw badValue(what, text, "a key is put behind it, so it must not have '?' or '#' in it");
  assertAllowed(what, url, allowHttp);
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function parseProvider(name: string | undefined): ProviderName | undefined {
  if (name === undefined || name === "kodo" || name === "aws" || name === "generic") return name;
  throw badValue("'--provider'", name, "it must be kodo, aws or generic");
}

function guessProvider(url: URL | undefined): ProviderName | undefined {
  if (url === undefined) return undefined;
  if (isBelow(url.hostname, "qiniucs.com")) return "kodo";
  if (isBelow(url.hostname, "amazonaws.com") || isBelow(url.hostname, "amazonaws.com.cn"))
    return "aws";
  return "generic";
}

function isBelow(host: string, domain: string): boolean {
  return host.endsWith(`.${domain}`);
}

/** @param like what it should look like. */
function parseAddress(what: string, text: string, like: string): URL {
  if (text.includes("@"))
    throw badValue(
      what,
      undefined,
      "it must not have keys in it; put them into KODO_ACCESS_KEY and KODO_SECRET_KEY",
    );
  if (!/^https?:\/\//i.test(text))
    throw badValue(
      what,
      text,
      "it must begin with https:// (or http:// for a store on this machine)",
    );
  try {
    return new URL(text);
  } catch {
    // The reason that URL gives ("Invalid URL") says less than this.
    throw badValue(what, text, `it is not a URL; it must be like ${like}`);
  }
}

function parseUrl(text: string): URL {
  const what = "'--endpoint'";
  const url = parseAddress(what, text, "https://s3.cn-east-1.qiniucs.com");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    throw badValue(
      what,
      text,
      "it must be scheme, host and port alone; bucket and prefix are an argument of their own",
    );
  if (isBelow(url.hostname, "qiniucs.com") && !KODO_HOST.test(url.hostname))
    throw badValue(
      what,
      text,
      "at Kodo it must be https://s3.REGION.qiniucs.com; the bucket is an argument of its own",
    );
  return url;
}

function assertAllowed(what: string, url: URL, allowHttp: boolean | undefined): void {
  if (url.protocol === "https:" || allowHttp === true || isLoopback(url.hostname)) return;
  throw badValue(
    what,
    url.href.replace(/\/$/, ""),
    "over http:// everybody on the way can read and change what is sent; use https://, or allow it by '--allow-http'",
  );
}

/** Whether what is sent to that host stays on this machine. */
function isLoopback(host: string): boolean {
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(host)
  );
}

function parseRegion(
  provider: ProviderName,
  given: string | undefined,
  from: { url: URL | undefined; hint: string | undefined },
): string {
  if (given !== undefined && !REGION.test(given))
    throw badValue(
      "'--region'",
      given,
      "it must be the store's name for a region, such as cn-east-1",
    );
  const told = regionOf(from.url);
  if (given !== undefined && told !== undefined && given !== told)
    throw badValue(
      "'--region'",
      given,
      `the endpoint ${from.url?.origin} is in ${told}; leave one of them out`,
    );
  const region =
    given ??
    told ??
    (provider === "kodo" ? undefined : from.hint) ??
    PROVIDERS[provider].defaultRegion;
  if (region === undefined)
    throw badValue(
      "'--provider'",
      provider,
      "the region is not known; give '--region', for example cn-east-1, or '--endpoint'",
    );
  return region;
}

function regionOf(url: URL | undefined): string | undefined {
  if (url === undefined) return undefined;
  return (KODO_HOST.exec(url.hostname) ?? AWS_HOST.exec(url.hostname))?.[1];
}
