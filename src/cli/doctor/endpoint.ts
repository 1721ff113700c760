// The way to the store, step by step, so that the first one that fails has a name: name server, connection, TLS, HTTP. The
// reply tells the store's time.

import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { type Clock, describe, errnoOf, KodomountError } from "../../base/mod.ts";
import { formatDuration } from "../../config/mod.ts";
import { fail, note, ok, type Said } from "./finding.ts";

const STEP_MS = 5000;
/** Requests are signed with the time: stores refuse them beyond 15 minutes. */
const SKEW_MAX_MS = 15 * 60_000;
const SKEW_NOTE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const CERTIFICATE_NOTE_MS = 7 * DAY_MS;

/** Stops at the first step that fails: none behind it can work. */
export async function checkEndpoint(endpoint: string, clock: Clock): Promise<Said[]> {
  const url = new URL(endpoint);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const found: Said[] = [];
  const steps: [string, () => Promise<Said[]>, string][] = [
    [
      "name",
      () => checkName(host, clock),
      `check '--endpoint' and the name server (getent hosts ${host})`,
    ],
    [
      "connection",
      () => checkConnection(host, port, clock),
      "check the network, firewalls and the port",
    ],
    ...(url.protocol === "https:"
      ? [
          [
            "TLS",
            () => checkTls(host, port, clock),
            "check what answers there: a proxy, or another service",
          ] as [string, () => Promise<Said[]>, string],
        ]
      : []),
    ["answer", () => checkAnswer(url, clock), "check that an S3 service is at '--endpoint'"],
  ];
  for (const [check, run, advice] of steps)
    try {
      found.push(...(await run()));
      if (found.some(({ verdict }) => verdict === "fail")) return found;
    } catch (error) {
      found.push(fail(check, describe(error), advice));
      return found;
    }
  return found;
}

async function checkName(host: string, clock: Clock): Promise<Said[]> {
  const start = clock.monotonic();
  const addresses = await within(lookup(host, { all: true }), clock, `${host} is not resolved`);
  const list = addresses.map(({ address }) => address).join(", ");
  return [ok("name", `${host} is ${list} (${since(start, clock)})`)];
}

async function checkConnection(host: string, port: number, clock: Clock): Promise<Said[]> {
  const start = clock.monotonic();
  const socket = connect({ host, port });
  await opened(socket, "connect", clock);
  const said = ok("connection", `port ${port} answers (${since(start, clock)})`);
  socket.destroy();
  return [said];
}

async function checkTls(host: string, port: number, clock: Clock): Promise<Said[]> {
  const start = clock.monotonic();
  // What is not to be trusted is looked at, and nothing is sent to it.
  const options = {
    host,
    port,
    rejectUnauthorized: false,
    ...(/[a-z]/i.test(host) && { servername: host }),
  };
  const socket: TLSSocket = tlsConnect(options);
  await opened(socket, "secureConnect", clock);
  const { authorized, authorizationError } = socket;
  const protocol = socket.getProtocol();
  const until = Date.parse(socket.getPeerCertificate().valid_to);
  socket.destroy();
  if (!authorized)
    return [
      fail(
        "TLS",
        `the certificate of ${host} is not to be trusted: ${String(authorizationError)}`,
        "a private authority: name its file in NODE_EXTRA_CA_CERTS; otherwise somebody else answers there",
      ),
    ];
  const said = `${protocol}, certificate for another ${formatDuration(until - clock.now())} (${since(start, clock)})`;
  return [
    until - clock.now() < CERTIFICATE_NOTE_MS
      ? note("TLS", said, "whoever runs the store must renew it")
      : ok("TLS", said),
  ];
}

async function checkAnswer(url: URL, clock: Clock): Promise<Said[]> {
  const start = clock.monotonic();
  const reply = await ask(url, clock);
  const end = clock.monotonic();
  // The time of the reply, as of this clock: half-way, as nobody knows better.
  const ours = clock.now() - (end - start) / 2;
  const server = reply.headers["server"] === undefined ? "" : `, ${reply.headers["server"]}`;
  const found = [ok("answer", `HTTP ${reply.statusCode}${server} (${since(start, clock)})`)];
  const theirs = Date.parse(reply.headers.date ?? "");
  if (Number.isNaN(theirs)) return [...found, note("clock", "the store does not tell its time")];
  return [...found, judgeClock(ours - theirs)];
}

/** @param skew how far this machine is ahead, milliseconds; the store tells whole seconds. */
function judgeClock(skew: number): Said {
  const apart = Math.abs(skew) < 2000 ? "less than 2 s" : formatDuration(Math.abs(skew));
  const said = `this machine and the store are ${apart} apart${Math.abs(skew) < 2000 ? "" : skew > 0 ? ", this one ahead" : ", this one behind"}`;
  if (Math.abs(skew) > SKEW_MAX_MS)
    return fail("clock", `${said}: requests are refused`, "set it right: timedatectl set-ntp true");
  if (Math.abs(skew) > SKEW_NOTE_MS)
    return note("clock", said, "beyond 15 minutes requests are refused: timedatectl set-ntp true");
  return ok("clock", said);
}

function ask(url: URL, clock: Clock): Promise<IncomingMessage> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const asked = new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, { method: "GET", agent: false, timeout: STEP_MS }, (reply) => {
      reply.destroy();
      resolve(reply);
    });
    request.once("timeout", () => request.destroy(new Error("nothing is answered")));
    request.once("error", reject);
    request.end();
  });
  return within(asked, clock, "nothing is answered");
}

async function opened(socket: Socket, event: string, clock: Clock): Promise<void> {
  const open = new Promise<void>((resolve, reject) => {
    socket.once(event, () => resolve());
    // Stays: a socket that breaks later must not end the process.
    socket.on("error", reject);
  });
  try {
    await within(open, clock, "nothing answers");
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function within<T>(task: Promise<T>, clock: Clock, what: string): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(STEP_MS, () =>
      reject(new KodomountError("TimedOut", `${what} within ${STEP_MS / 1000} s`)),
    );
  });
  try {
    return await Promise.race([task, late]);
  } catch (error) {
    // An error of several addresses has no message of its own.
    const errno = errnoOf(error);
    if (errno !== undefined && error instanceof AggregateError)
      throw new KodomountError("Unreachable", errno, { cause: error });
    throw error;
  } finally {
    cancel();
  }
}

function since(start: number, clock: Clock): string {
  return `${Math.round(clock.monotonic() - start)} ms`;
}
