// Numbers and strings that must not be mixed up. The only place that brands by `as`.

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Node id of the kernel and of the catalog: below 2^53, never given twice in the life of a state directory. Root is 1. */
export type Ino = Brand<number, "Ino">;
/** `fh` of one open; from the same never repeating counter as `Ino`. */
export type HandleId = Brand<number, "HandleId">;
/** 1-based number of a part, as S3 counts. */
export type PartNumber = Brand<number, "PartNumber">;
/** Revision of a part's content within its save, from 1. */
export type Rev = Brand<number, "Rev">;
/** 16 hexadecimal digits, random. */
export type SaveId = Brand<string, "SaveId">;
/** As the store gave it; opaque. */
export type UploadId = Brand<string, "UploadId">;
/** Object key below the mount's prefix: no leading slash, UTF-8; a directory's ends with `/`; the root is "". */
export type Key = Brand<string, "Key">;
/** As the store gave it, always with its quotes; opaque, compared only for equality. */
export type Etag = Brand<string, "Etag">;
/** 64 lower-case hexadecimal digits. */
export type Sha256 = Brand<string, "Sha256">;

export const ROOT_INO: Ino = 1 as Ino;
export const ROOT_KEY: Key = "" as Key;

export const toIno = (value: number): Ino => value as Ino;
export const toHandleId = (value: number): HandleId => value as HandleId;
export const toPartNumber = (value: number): PartNumber => value as PartNumber;
export const toRev = (value: number): Rev => value as Rev;
export const toSaveId = (value: string): SaveId => value as SaveId;
export const toUploadId = (value: string): UploadId => value as UploadId;
export const toKey = (value: string): Key => value as Key;
export const toEtag = (value: string): Etag => value as Etag;
export const toSha256 = (value: string): Sha256 => value as Sha256;
