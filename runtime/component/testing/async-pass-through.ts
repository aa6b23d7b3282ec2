import { CodecTable } from "../abi/codec-table.ts";
import type { StringEncoding } from "../link/link-plan.ts";
import type { ValueType } from "../link/value-type.ts";
import { apiType, functionText, namedKinds, type Signature, spaceModule, typeText } from "./pass-through.ts";
import { sampleResources } from "./samples.ts";

/** More core values than that are passed in memory, to a function and from it, async or not. */
export const flatMax = 16;

/**
 * As `passThroughComponent`, with async functions: lowered async, lifted with a callback, the answer waited for if it is not
 * there, and returned by `task.return`. The arguments of each have to come in memory, where the result comes too.
 */
export function asyncPassThroughComponent(
  types: readonly ValueType[],
  signatures: readonly Signature[],
  encodings: readonly StringEncoding[] = ["utf8"],
): string {
  const api = apiType(types, signatures, "async");
  const table = new CodecTable({ types, resources: sampleResources });
  const each = (text: (index: number, signature: Signature) => string): string =>
    signatures.map((signature, index) => text(index, signature)).join("\n    ");
  const stages = encodings.map((encoding, at) => {
    const before = at === 0 ? "$host" : `$api${at - 1}`;
    const exported = `test:${at === encodings.length - 1 ? "guest" : `guest${at}`}/api`;
    return `
    (component $stage${at} ${stage(encoding)})
    (instance $made${at} (instantiate $stage${at} (with "api" (instance ${before}))))
    (export $api${at} "${exported}" (instance $made${at}))`;
  });
  return `(component
    (import "test:host/api" (instance $host ${api}))${stages.join("")})`;

  function stage(encoding: StringEncoding): string {
    return `
    (import "api" (instance $in ${api}))
    (alias export $in "thing" (type $thing))
    ${types
      .map((type, index) =>
        namedKinds.has(type.kind)
          ? `(alias export $in "t${index}" (type $t${index}))`
          : `(type $t${index} ${typeText(type)})`,
      )
      .join("\n    ")}
    (core module $Space ${spaceModule})
    (core instance $space (instantiate $Space))
    (alias core export $space "memory" (core memory $memory))
    (alias core export $space "realloc" (core func $realloc))
    (core func $new (canon waitable-set.new))
    (core func $drop-set (canon waitable-set.drop))
    (core func $join (canon waitable.join))
    (core func $drop (canon subtask.drop))
    (core func $get (canon context.get i32 0))
    (core func $set (canon context.set i32 0))
    ${each((index) => `(core func $f${index} (canon lower (func $in "f${index}") async (memory $memory) (realloc $realloc) string-encoding=${encoding}))`)}
    ${each((index, { result }) => `(core func $r${index} (canon task.return (result $t${result}) (memory $memory) string-encoding=${encoding}))`)}
    (core module $Guest
      (import "space" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
      (import "b" "new" (func $new (result i32)))
      (import "b" "drop-set" (func $drop-set (param i32)))
      (import "b" "join" (func $join (param i32 i32)))
      (import "b" "drop" (func $drop (param i32)))
      (import "b" "get" (func $get (result i32)))
      (import "b" "set" (func $set (param i32)))
      ${each((index) => `(import "b" "f${index}" (func $f${index} (param i32 i32) (result i32)))`)}
      ${each((index) => `(import "b" "r${index}" (func $r${index} (param i32)))`)}
      (global $waiting (mut i32) (i32.const 0))
      ${each((index, { result }) => coreFunctions(index, table.codec(result)))})
    (core instance $guest (instantiate $Guest
      (with "space" (instance $space))
      (with "b" (instance
        ${["new", "drop-set", "join", "drop", "get", "set"].map((name) => `(export "${name}" (func $${name}))`).join(" ")}
        ${each((index) => `(export "f${index}" (func $f${index})) (export "r${index}" (func $r${index}))`)}))))
    ${each(
      (index, signature) => `(func $g${index} async ${functionText(signature)}
        (canon lift (core func $guest "f${index}") async (callback (core func $guest "f${index}-cb"))
          (memory $memory) (realloc $realloc) string-encoding=${encoding}))`,
    )}
    (export "thing" (type $thing))
    ${types.map((type, index) => (namedKinds.has(type.kind) ? `(export "t${index}" (type $t${index}))` : "")).join(" ")}
    ${each((index) => `(export "f${index}" (func $g${index}))`)}`;
  }
}

function coreFunctions(
  index: number,
  { size, alignment }: { readonly size: number; readonly alignment: number },
): string {
  return `(func (export "f${index}") (param i32) (result i32) (local $at i32) (local $status i32)
        (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const ${alignment}) (i32.const ${size})))
        (local.set $status (call $f${index} (local.get 0) (local.get $at)))
        (if (i32.eq (local.get $status) (i32.const 2))
          (then (call $r${index} (local.get $at)) (return (i32.const 0))))
        (call $set (local.get $at))
        (global.set $waiting (call $new))
        (call $join (i32.shr_u (local.get $status) (i32.const 4)) (global.get $waiting))
        (i32.or (i32.const 2) (i32.shl (global.get $waiting) (i32.const 4))))
      (func (export "f${index}-cb") (param i32 i32 i32) (result i32)
        (call $drop (local.get 1))
        (call $drop-set (global.get $waiting))
        (call $r${index} (call $get))
        (i32.const 0))`;
}
