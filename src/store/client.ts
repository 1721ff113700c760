// The SDK's client, set so that nothing is done behind our back: no retries, no checksums, no redirects, our transport.

import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { Background, type Clock, type Log } from "../base/mod.ts";
import { HttpHandler, type Reply, type SendOptions, type SignedRequest } from "./http-handler.ts";
import type { StoreCredentials, StoreOptions } from "./object-store.ts";
import { Traffic } from "./traffic.ts";

export interface StoreDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Is told what the connections carry; undefined: nobody asks. */
  readonly traffic?: Traffic;
}

export function createClient(options: StoreOptions, deps: StoreDeps): S3Client {
  silenceNodeWarning();
  const { endpoint, region, provider, credentials, connections, congestion = "system" } = options;
  const { clock, traffic = new Traffic(clock) } = deps;
  const background = new Background(deps.log);
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: provider.addressing === "path",
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    followRegionRedirects: false,
    // A round trip more for each part, and many stores do not answer it.
    expectContinueHeader: false,
    // All that the SDK would otherwise look up in the environment and in ~/.aws.
    retryMode: "standard",
    defaultsMode: "standard",
    useArnRegion: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    disableMultiregionAccessPoints: true,
    disableS3ExpressSessionAuth: true,
    ...credentialsOf(credentials),
    ...transport(new HttpHandler({ clock, background, connections, congestion, traffic })),
  });
}

/** The handler as the SDK calls it: its time limit, given with a command, is ours on the reply. */
function transport(handler: HttpHandler): Pick<S3ClientConfig, "requestHandler"> {
  const requestHandler = {
    metadata: { handlerProtocol: "http/1.1" },
    handle: async (
      request: SignedRequest,
      given: { abortSignal?: SendOptions["signal"]; requestTimeout?: number } = {},
    ): Promise<{ response: Reply }> => ({
      response: await handler.send(request, {
        signal: given.abortSignal,
        replyMs: given.requestTimeout,
      }),
    }),
    destroy: (): void => handler.close(),
    updateHttpClientConfig: (): void => {},
    httpHandlerConfigs: (): object => ({}),
  };
  return { requestHandler };
}

/** A profile is left to the SDK, which knows how to renew what expires. */
function credentialsOf(
  credentials: StoreCredentials,
): Pick<S3ClientConfig, "credentials" | "profile"> {
  if (credentials.kind === "profile") return { profile: credentials.profile };
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
  };
}

/** The SDK says at its first use that versions to come need a newer Node; we pin the one that we were tested with. */
function silenceNodeWarning(): void {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
}
