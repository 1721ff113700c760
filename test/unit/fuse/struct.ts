// C structs without padding, field by field: little-endian as the kernel writes them.

export type Field = readonly ["u16" | "u32", number] | readonly ["u64", bigint];

const WIDTH = { u16: 2, u32: 4, u64: 8 } as const;

export function struct(...fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(([type, value]) => {
      const bytes = Buffer.alloc(WIDTH[type]);
      if (type === "u64") bytes.writeBigUInt64LE(value);
      else bytes.writeUIntLE(value, 0, WIDTH[type]);
      return bytes;
    }),
  );
}
