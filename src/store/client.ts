// The SDK's client, set so that nothing is done behind our back: no retries, no checksums, no redirects, our handler.

import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Clock } from "../base/mod.ts";
import { HttpHandler, type Reply, type SignedRequest } from "./http-handler.ts";
import type { StoreCredentials, StoreOptions } from "./object-store.ts";

export function createClient(options: StoreOptions, clock: Clock): S3Client {
  const { endpoint, region, provider, credentials, connections } = options;
  const handler = new HttpHandler(clock, connections);
  const config = {
    endpoint,
    region,
    forcePathStyle: provider.addressing === "path",
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    followRegionRedirects: false,
    expectContinueHeader: false,
    requestHandler: {
      metadata: { handlerProtocol: "http/1.1" },
      handle: async (
        request: SignedRequest,
        given?: { abortSignal?: AbortSignal },
      ): Promise<{ response: Reply }> => ({
        response: await handler.send(request, given?.abortSignal),
      }),
      destroy: () => handler.close(),
      updateHttpClientConfig: () => {},
      httpHandlerConfigs: () => ({}),
    },
    ...credentialsOf(credentials),
  };
  return new S3Client(config as unknown as S3ClientConfig);
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
