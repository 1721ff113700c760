// Takes a record apart field by field; what is not as it must be is `Corrupt`, with the field's name.

import { KodomountError } from "../base/mod.ts";

export class Fields {
  /** What the error says: the record, and the way into it. */
  readonly #where: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(where: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw malformed(where, "must be an object", value);
    this.#where = where;
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined;
  }

  text(field: string, pattern?: RegExp): string {
    const value = this.#fields[field];
    if (typeof value !== "string") throw this.#malformed(field, "must be text");
    if (pattern !== undefined && !pattern.test(value))
      throw this.#malformed(field, `must match ${pattern}`);
    return value;
  }

  flag(field: string): boolean {
    const value = this.#fields[field];
    if (typeof value !== "boolean") throw this.#malformed(field, "must be true or false");
    return value;
  }

  /** Any finite number that is at least `min`. */
  number(field: string, min: number = Number.NEGATIVE_INFINITY): number {
    const value = this.#fields[field];
    if (typeof value !== "number" || !Number.isFinite(value) || value < min)
      throw this.#malformed(field, `must be a number >= ${min}`);
    return value;
  }

  /** A whole number that is at least `min`, exact in a double. */
  whole(field: string, min = 0): number {
    const value = this.number(field, min);
    if (!Number.isSafeInteger(value)) throw this.#malformed(field, "must be a whole number");
    return value;
  }

  inside(field: string): Fields {
    return new Fields(`${this.#where}.${field}`, this.#fields[field]);
  }

  /** Text by name. */
  texts(field: string): Record<string, string> {
    const inside = this.inside(field);
    return Object.fromEntries(Object.keys(inside.#fields).map((name) => [name, inside.text(name)]));
  }

  /** A list of texts. */
  textList(field: string): string[] {
    const value = this.#fields[field];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
      throw this.#malformed(field, "must be a list of texts");
    return value;
  }

  list<T>(field: string, parse: (item: Fields) => T): T[] {
    const value = this.#fields[field];
    if (!Array.isArray(value)) throw this.#malformed(field, "must be a list");
    return value.map((item: unknown, index) =>
      parse(new Fields(`${this.#where}.${field}[${index}]`, item)),
    );
  }

  /** The error for a field that is none of what it may be. */
  unknown(field: string): KodomountError {
    return this.#malformed(field, "is not known to this version");
  }

  #malformed(field: string, rule: string): KodomountError {
    return malformed(`${this.#where}.${field}`, rule, this.#fields[field]);
  }
}

function malformed(where: string, rule: string, value: unknown): KodomountError {
  const received = JSON.stringify(value)?.slice(0, 80);
  return new KodomountError(
    "Corrupt",
    `The catalog's record is not valid: ${where} ${rule}: received ${received}`,
  );
}
