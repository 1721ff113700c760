// What is known of a store before the first request, as data. Facts and their sources: docs/notes/s3.md.

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export type ProviderName = "kodo" | "aws" | "generic";

export interface ProviderProfile {
  readonly name: ProviderName;
  /** With `{region}` in it; undefined: `--endpoint` is needed. */
  readonly endpoint: string | undefined;
  readonly defaultRegion: string | undefined;
  readonly addressing: "path" | "virtual";
  readonly partSizeMin: number;
  readonly partSizeMax: number;
  readonly partCountMax: number;
  /** Bytes of the largest object that one CopyObject takes; larger ones are copied by parts. */
  readonly copySizeMax: number;
  readonly keySizeMax: number;
  /** Whether listings may be asked for with `encoding-type=url`. */
  readonly listEncoding: boolean;
  /** Features that such a store takes without a word and does not act upon. */
  readonly ignores: readonly ("if-none-match" | "if-match" | "copy-source-if-match")[];
  readonly storageClasses: readonly string[];
  /** Whether an address of its own, before the bucket, wants a token of the keys in the URL. */
  readonly signsDownloads: boolean;
}

export const PROVIDERS: Readonly<Record<ProviderName, ProviderProfile>> = {
  kodo: {
    name: "kodo",
    endpoint: "https://s3.{region}.qiniucs.com",
    defaultRegion: undefined,
    addressing: "path",
    partSizeMin: MIB,
    partSizeMax: GIB,
    partCountMax: 10_000,
    copySizeMax: GIB,
    keySizeMax: 1024,
    listEncoding: false,
    ignores: ["if-none-match", "if-match", "copy-source-if-match"],
    storageClasses: [
      "STANDARD",
      "LINE",
      "GLACIER_IR",
      "GLACIER",
      "DEEP_ARCHIVE",
      "INTELLIGENT_TIERING",
    ],
    signsDownloads: true,
  },
  aws: {
    name: "aws",
    endpoint: "https://s3.{region}.amazonaws.com",
    defaultRegion: "us-east-1",
    addressing: "virtual",
    partSizeMin: 5 * MIB,
    partSizeMax: 5 * GIB,
    partCountMax: 10_000,
    copySizeMax: 5 * GIB,
    keySizeMax: 1024,
    listEncoding: true,
    ignores: [],
    storageClasses: [
      "STANDARD",
      "STANDARD_IA",
      "ONEZONE_IA",
      "INTELLIGENT_TIERING",
      "GLACIER_IR",
      "GLACIER",
      "DEEP_ARCHIVE",
    ],
    signsDownloads: false,
  },
  generic: {
    name: "generic",
    endpoint: undefined,
    defaultRegion: "us-east-1",
    addressing: "path",
    partSizeMin: 5 * MIB,
    partSizeMax: 5 * GIB,
    partCountMax: 10_000,
    copySizeMax: 5 * GIB,
    keySizeMax: 1024,
    listEncoding: true,
    ignores: ["if-none-match", "copy-source-if-match"],
    storageClasses: ["STANDARD"],
    signsDownloads: false,
  },
};
