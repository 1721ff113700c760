// The SDK as it is, against an emulator: what the emulator is tested with, so that our adapter's mistakes are not shared.

import { S3Client, type S3ClientConfig, type S3ServiceException } from "@aws-sdk/client-s3";
import type { Emulator } from "../../../src/emulator/mod.ts";
import { TEST_KEYS } from "../../support/emulator.ts";

/** A client that asks once. */
export function clientOf(emulator: Emulator, change: S3ClientConfig = {}): S3Client {
  return new S3Client({
    endpoint: emulator.endpoint,
    region: TEST_KEYS.region,
    credentials: TEST_KEYS,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...change,
  });
}

/** How a request was refused: `STATUS CODE`. */
export async function refusal(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    const { name, $metadata } = error as S3ServiceException;
    return `${$metadata?.httpStatusCode ?? "no answer"} ${name}`;
  }
  return "accepted";
}
