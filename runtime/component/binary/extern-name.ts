import { BinaryError, type BinaryReader } from "../leb128.ts";

/**
 * nameattributes of an import or export: 0x00 and 0x01 are a plain name; 0x02 adds attributes (the interface that it
 * implements, the rest of its version, an id), which play no part in linking.
 */
export function readExternName(reader: BinaryReader): string {
  const at = reader.offset;
  const form = reader.byte();
  if (form > 0x02) throw new BinaryError("a name has an unknown form", at);
  const name = reader.name();
  if (nested.test(name)) throw new BinaryError("a name is nested deeper than an interface's may be", at);
  if (form === 0x02) {
    for (let count = reader.u32(); count > 0; count--) {
      reader.byte();
      reader.take(reader.u32());
    }
  }
  return name;
}

/** `a:b:c/d` and `a:b/c/d` are kept for later (Explainer.md, "Import and Export Definitions", 🪺). */
const nested = /^[\w-]+:(?:[\w-]+:|[\w-]+\/[\w-]+\/)/;
