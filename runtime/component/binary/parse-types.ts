import { BinaryError } from "../leb128.ts";
import type { PrimitiveKind } from "../link/value-type.ts";
import type {
  Declaration,
  DeclarationBody,
  FunctionTypeDefinition,
  LabelledType,
  TypeDefinition,
  TypeReference,
  ValueTypeDefinition,
} from "./component.ts";
import { readCoreType } from "./core-type.ts";
import { readAlias } from "./parse-instances.ts";
import { readDescription } from "./parse-sorts.ts";
import type { SectionReader } from "./section-reader.ts";

const primitives: ReadonlyMap<number, PrimitiveKind | "error-context"> = new Map([
  [0x7f, "bool"],
  [0x7e, "s8"],
  [0x7d, "u8"],
  [0x7c, "s16"],
  [0x7b, "u16"],
  [0x7a, "s32"],
  [0x79, "u32"],
  [0x78, "s64"],
  [0x77, "u64"],
  [0x76, "f32"],
  [0x75, "f64"],
  [0x74, "char"],
  [0x73, "string"],
  [0x64, "error-context"],
]);

/** deftype (Binary.md, "Type Definitions"). */
export function readType(reader: SectionReader): TypeDefinition {
  const at = reader.offset;
  const code = reader.byte();
  switch (code) {
    case 0x3f:
      return readResource(reader);
    case 0x40:
    case 0x43:
      return readFunctionType(reader, code === 0x43);
    case 0x41:
      readDeclarations(reader, true);
      return { kind: "component" };
    case 0x42:
      return { kind: "instance", declarations: readDeclarations(reader, false) };
    default:
      return { kind: "value", value: readValueType(reader, code, at) };
  }
}

function readResource(reader: SectionReader): TypeDefinition {
  const at = reader.offset;
  if (reader.byte() !== 0x7f) throw new BinaryError("a resource that is no i32 is not supported", at);
  const destructor = reader.optional(() => reader.u32());
  return { kind: "resource", ...(destructor === undefined ? {} : { destructor }) };
}

function readFunctionType(reader: SectionReader, async: boolean): FunctionTypeDefinition {
  const params = reader.vector(() => readLabelled(reader));
  refuseTwice(params, reader.offset);
  const result = readResult(reader);
  return { kind: "function", async, params, ...(result === undefined ? {} : { result }) };
}

/** resultlist: 0x00 and a type, or 0x01 0x00 for none. */
export function readResult(reader: SectionReader): TypeReference | undefined {
  const at = reader.offset;
  const form = reader.byte();
  if (form === 0x00) return readTypeReference(reader);
  if (form !== 0x01 || reader.byte() !== 0x00) throw new BinaryError("a function has named or unknown results", at);
  return undefined;
}

/** valtype: like core types, a number below zero is a code and any other an index. */
function readTypeReference(reader: SectionReader): TypeReference {
  const at = reader.offset;
  const value = reader.bytes.s33();
  if (value >= 0) return value;
  const primitive = primitives.get(value + 0x80);
  if (primitive === undefined) throw new BinaryError("a type is neither primitive nor an index", at);
  return primitive;
}

function readValueType(reader: SectionReader, code: number, at: number): ValueTypeDefinition {
  const primitive = primitives.get(code);
  if (primitive !== undefined) return { kind: "primitive", primitive };
  switch (code) {
    case 0x72:
      return { kind: "record", fields: distinct(reader, () => readLabelled(reader)) };
    case 0x71:
      return { kind: "variant", cases: distinct(reader, () => readCase(reader)) };
    case 0x70:
      return { kind: "list", element: readTypeReference(reader) };
    case 0x67:
      return { kind: "list", element: readTypeReference(reader), length: readLength(reader) };
    case 0x63:
      return { kind: "map", key: readTypeReference(reader), value: readTypeReference(reader) };
    case 0x6f:
      return { kind: "tuple", items: nonEmpty(reader, () => readTypeReference(reader)) };
    case 0x6e:
    case 0x6d:
      return { kind: code === 0x6e ? "flags" : "enum", names: readNames(reader, code === 0x6e) };
    case 0x6b:
      return { kind: "option", some: readTypeReference(reader) };
    case 0x6a: {
      const ok = reader.optional(() => readTypeReference(reader));
      const err = reader.optional(() => readTypeReference(reader));
      return { kind: "result", ...(ok === undefined ? {} : { ok }), ...(err === undefined ? {} : { err }) };
    }
    case 0x69:
    case 0x68:
      return { kind: code === 0x69 ? "own" : "borrow", resource: reader.u32() };
    case 0x66:
    case 0x65: {
      const element = reader.optional(() => readTypeReference(reader));
      return { kind: code === 0x66 ? "stream" : "future", ...(element === undefined ? {} : { element }) };
    }
    default:
      throw new BinaryError(`there is no type 0x${code.toString(16)}`, at);
  }
}

function readLength(reader: SectionReader): number {
  const at = reader.offset;
  const length = reader.u32();
  if (length === 0) throw new BinaryError("a list has the fixed length 0", at);
  return length;
}

function readNames(reader: SectionReader, areFlags: boolean): string[] {
  const at = reader.offset;
  const names = distinct(reader, () => ({ name: readLabel(reader) })).map(({ name }) => name);
  if (areFlags && names.length > 32) throw new BinaryError("a type has more than 32 flags", at);
  return names;
}

function readLabelled(reader: SectionReader): LabelledType {
  return { name: readLabel(reader), type: readTypeReference(reader) };
}

function readCase(reader: SectionReader): { readonly name: string; readonly type?: TypeReference } {
  const name = readLabel(reader);
  const type = reader.optional(() => readTypeReference(reader));
  const at = reader.offset;
  if (reader.byte() !== 0x00) throw new BinaryError("a case refines another one, which is not supported", at);
  return { name, ...(type === undefined ? {} : { type }) };
}

/** label (Explainer.md, "Import and Export Definitions"): words or acronyms between hyphens. */
const label = /^(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9a-z]+|[0-9A-Z]+))*$/;

function readLabel(reader: SectionReader): string {
  const at = reader.offset;
  const name = reader.name();
  if (!label.test(name)) throw new BinaryError(`${JSON.stringify(name.slice(0, 64))} is no name in kebab case`, at);
  return name;
}

function nonEmpty<T>(reader: SectionReader, readOne: () => T): T[] {
  const at = reader.offset;
  const entries = reader.vector(readOne);
  if (entries.length === 0) throw new BinaryError("a type has no fields, cases or names", at);
  return entries;
}

function distinct<T extends { readonly name: string }>(reader: SectionReader, readOne: () => T): T[] {
  const at = reader.offset;
  const entries = nonEmpty(reader, readOne);
  refuseTwice(entries, at);
  return entries;
}

/** Names that differ only in case are the same name (Explainer.md, "Name Uniqueness"). */
function refuseTwice(entries: readonly { readonly name: string }[], at: number): void {
  const names = new Set(entries.map(({ name }) => name.toLowerCase()));
  if (names.size < entries.length) throw new BinaryError("a type or function has two parts of the same name", at);
}

/** What is in a component type or an instance type. */
function readDeclarations(outer: SectionReader, inComponentType: boolean): Declaration[] {
  const reader = outer.nested();
  return reader.vector(() => {
    const offset = reader.offset;
    const body = readDeclaration(reader, inComponentType);
    return { ...body, offset, bytes: reader.offset - offset };
  });
}

function readDeclaration(reader: SectionReader, inComponentType: boolean): DeclarationBody {
  const at = reader.offset;
  const code = reader.byte();
  switch (code) {
    case 0x00:
      return { kind: "core type", count: readCoreType(reader) };
    case 0x01: {
      const type = readType(reader);
      if (type.kind === "resource") throw new BinaryError("a resource is defined inside a type", at);
      return { kind: "type", type };
    }
    case 0x02:
      return { kind: "alias", alias: readAlias(reader) };
    case 0x03:
      if (!inComponentType) throw new BinaryError("an instance type has an import", at);
      return { kind: "import", name: reader.externName(), description: readDescription(reader) };
    case 0x04:
      return { kind: "export", name: reader.externName(), description: readDescription(reader) };
    default:
      throw new BinaryError(`there is no declaration 0x${code.toString(16)}`, at);
  }
}
