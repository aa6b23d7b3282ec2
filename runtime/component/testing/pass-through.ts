import { unreachable } from "@shallop/sdk/internal";
import type { CoreType } from "../abi/codec.ts";
import { CodecTable } from "../abi/codec-table.ts";
import { FunctionCodec } from "../abi/function-codec.ts";
import { sampleResources } from "./samples.ts";
import type { StringEncoding } from "../link/link-plan.ts";
import { isScalar, type TypeIndex, type ValueType } from "../link/value-type.ts";

/** A function `func(p0: A, p1: B, …) -> R`, whose result lies in memory as its arguments do: R is A, or a tuple of all. */
export interface Signature {
  readonly params: readonly TypeIndex[];
  readonly result: TypeIndex;
  /** Where it is not that of the component. */
  readonly encoding?: StringEncoding;
}

export interface PassThroughOptions {
  readonly types: readonly ValueType[];
  readonly signatures: readonly Signature[];
  /** One component for each: the first calls the host, the last is called by it. */
  readonly encodings: readonly StringEncoding[];
}

/**
 * The text of a component that imports functions `f0`, `f1`, … of `test:host/api` and exports functions of the same names and
 * types as `test:guest/api`, which pass what they get to the imported ones and give back what these answer. It is made
 * of as many components as there are encodings, one behind the other.
 */
export function passThroughComponent({ types, signatures, encodings }: PassThroughOptions): string {
  const instanceType = apiType(types, signatures);
  const stages = encodings.map((encoding, index) => {
    const before = index === 0 ? "$host" : `$api${index - 1}`;
    return `
  (component $stage${index} ${stage({ types, signatures, encoding, instanceType })})
  (instance $made${index} (instantiate $stage${index} (with "api" (instance ${before}))))
  (export $api${index} "test:${index === encodings.length - 1 ? "guest" : `guest${index}`}/api" (instance $made${index}))`;
  });
  return `(component
  (import "test:host/api" (instance $host ${instanceType}))${stages.join("")})`;
}

/** Of these the Component Model wants that what is imported or exported has a name. */
export const namedKinds: ReadonlySet<ValueType["kind"]> = new Set<ValueType["kind"]>([
  "record",
  "variant",
  "enum",
  "flags",
]);

export function apiType(
  types: readonly ValueType[],
  signatures: readonly Signature[],
  async: "async" | "" = "",
): string {
  const definitions = types.map((type, index) =>
    namedKinds.has(type.kind)
      ? `(type $d${index} ${typeText(type)}) (export "t${index}" (type $t${index} (eq $d${index})))`
      : `(type $t${index} ${typeText(type)})`,
  );
  const functions = signatures.map(
    (signature, index) => `(export "f${index}" (func ${async} ${functionText(signature)}))`,
  );
  return ['(export "thing" (type $thing (sub resource)))', ...definitions, ...functions].join("\n    ");
}

interface StageOptions {
  readonly types: readonly ValueType[];
  readonly signatures: readonly Signature[];
  readonly encoding: StringEncoding;
  readonly instanceType: string;
}

function stage({ types, signatures, encoding, instanceType }: StageOptions): string {
  const isNamed = (type: ValueType): boolean => namedKinds.has(type.kind);
  const options = (realloc: string, { encoding: own = encoding }: Signature): string =>
    `(memory $memory) (realloc (core func ${realloc} "realloc")) string-encoding=${own}`;
  return `
    (import "api" (instance $in ${instanceType}))
    (alias export $in "thing" (type $thing))
    ${types.map((type, index) => (isNamed(type) ? `(alias export $in "t${index}" (type $t${index}))` : `(type $t${index} ${typeText(type)})`)).join("\n    ")}
    (core module $Space ${spaceModule})
    (core instance $space (instantiate $Space))
    (alias core export $space "memory" (core memory $memory))
    ${signatures.map((signature, index) => `(core func $f${index} (canon lower (func $in "f${index}") ${options("$space", signature)}))`).join("\n    ")}
    (core module $Guest ${guestModule(types, signatures)})
    (core instance $guest (instantiate $Guest
      (with "space" (instance $space))
      (with "host" (instance ${signatures.map((_, index) => `(export "f${index}" (func $f${index}))`).join(" ")}))))
    ${signatures.map((signature, index) => `(func $g${index} ${functionText(signature)} (canon lift (core func $guest "f${index}") ${options("$guest", signature)} (post-return (core func $guest "end${index}"))))`).join("\n    ")}
    (export "thing" (type $thing))
    ${types.map((type, index) => (isNamed(type) ? `(export "t${index}" (type $t${index}))` : "")).join(" ")}
    ${signatures.map((_, index) => `(export "f${index}" (func $g${index}))`).join(" ")}`;
}

/** Gives space one piece behind the other; `reset` takes all of it back. */
export const spaceModule = `
      (memory (export "memory") 1)
      (global $top (mut i32) (i32.const 16))
      (func (export "reset") (global.set $top (i32.const 16)))
      (func (export "realloc") (param $old i32) (param $oldBytes i32) (param $alignment i32) (param $bytes i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $alignment) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $alignment))))
        (global.set $top (i32.add (local.get $at) (local.get $bytes)))
        (block $enough
          (br_if $enough (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
          (br_if $enough (i32.ne (i32.const -1)
            (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $bytes) (i32.const 65536))))))
          unreachable)
        (memory.copy (local.get $at) (local.get $old)
          (select (local.get $oldBytes) (local.get $bytes) (i32.lt_u (local.get $oldBytes) (local.get $bytes))))
        (local.get $at))`;

function guestModule(types: readonly ValueType[], signatures: readonly Signature[]): string {
  const table = new CodecTable({ types, resources: sampleResources });
  const parts = signatures.map((signature, index) => {
    const { lowered } = new FunctionCodec(
      {
        params: signature.params.map((type, at) => ({ name: `p${at}`, type })),
        result: signature.result,
        async: false,
      },
      table,
    );
    const result = table.codec(signature.result);
    return { index, lowered, size: result.size, alignment: result.alignment };
  });
  const list = (name: string, coreTypes: readonly CoreType[]): string =>
    coreTypes.length === 0 ? "" : `(${name} ${coreTypes.join(" ")})`;
  const imports = parts.map(
    ({ index, lowered: { params, result } }) =>
      `(import "host" "f${index}" (func $f${index} ${list("param", params)} ${result === undefined ? "" : `(result ${result})`}))`,
  );
  const functions = parts.map(({ index, lowered: { params, result }, size, alignment }) => {
    const own = result === undefined ? params.slice(0, -1) : params;
    const passed = own.map((_, at) => `(local.get ${at})`).join(" ");
    const space = `(call $realloc (i32.const 0) (i32.const 0) (i32.const ${alignment}) (i32.const ${size}))`;
    const body =
      result === undefined
        ? `(local $at i32) (local.set $at ${space}) (call $f${index} ${passed} (local.get $at)) (local.get $at)`
        : `(call $f${index} ${passed})`;
    return `(func (export "f${index}") ${list("param", own)} (result ${result ?? "i32"}) ${body})
      (func (export "end${index}") (param ${result ?? "i32"}) (call $reset))`;
  });
  return `
      (import "space" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
      (import "space" "reset" (func $reset))
      ${imports.join("\n      ")}
      (export "realloc" (func $realloc))
      ${functions.join("\n      ")}`;
}

export function functionText({ params, result }: Signature): string {
  return `${params.map((type, index) => `(param "p${index}" $t${type})`).join(" ")} (result $t${result})`;
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(" ");

/** A type as the text format writes it; types that it refers to are called `$t` and their index. */
export function typeText(type: ValueType): string {
  if (isScalar(type)) return type.kind;
  switch (type.kind) {
    case "list":
      return `(list $t${type.element}${type.length === undefined ? "" : ` ${type.length}`})`;
    case "record":
      return `(record ${type.fields.map(({ name, type: index }) => `(field "${name}" $t${index})`).join(" ")})`;
    case "tuple":
      return `(tuple ${type.items.map((index) => `$t${index}`).join(" ")})`;
    case "variant":
      return `(variant ${type.cases.map(({ name, type: index }) => `(case "${name}"${index === undefined ? "" : ` $t${index}`})`).join(" ")})`;
    case "enum":
    case "flags":
      return `(${type.kind} ${quoted(type.names)})`;
    case "option":
      return `(option $t${type.some})`;
    case "result":
      return `(result${type.ok === undefined ? "" : ` $t${type.ok}`}${type.err === undefined ? "" : ` (error $t${type.err})`})`;
    case "own":
      return "(own $thing)";
    case "borrow":
    case "stream":
    case "future":
    case "error-context":
      throw new TypeError(`no ${type.kind} is passed through`);
    case "string":
      return type.kind;
    default:
      return unreachable(type);
  }
}
