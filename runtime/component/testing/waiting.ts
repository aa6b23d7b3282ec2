/** Functions of `test:host/api` that the components here import; each may wait. */
const functions = {
  nothing: { type: "(func)", core: "" },
  "i32-value": { type: `(func (param "x" u32) (result u32))`, core: "(param i32) (result i32)" },
  "i64-value": { type: `(func (param "x" u64) (result u64))`, core: "(param i64) (result i64)" },
  "f32-value": { type: `(func (param "x" f32) (result f32))`, core: "(param f32) (result f32)" },
  "f64-value": { type: `(func (param "x" f64) (result f64))`, core: "(param f64) (result f64)" },
  text: { type: `(func (param "x" string) (result string))`, core: "(param i32 i32 i32)" },
} as const;

export const waitingFunctions = Object.keys(functions) as readonly (keyof typeof functions)[];

const entries = Object.entries(functions);
const imports = entries.map(([name, { type }]) => `(export "${name}" ${type})`).join(" ");

/**
 * A component that exports what it imports (`api`), and `marked` (which marks 1, calls `nothing`, marks 2). `twice` calls
 * `i32-value` with what `i32-value` gave.
 */
const stage = `
  (import "api" (instance $in ${imports}))
  (import "mark" (func $mark (param "n" u32)))
  (core module $Space
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 16))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core instance $space (instantiate $Space))
  (alias core export $space "memory" (core memory $memory))
  (alias core export $space "realloc" (core func $realloc))
  (core func $mark' (canon lower (func $mark)))
  ${entries.map(([name]) => `(core func $${name} (canon lower (func $in "${name}") (memory $memory) (realloc $realloc)))`).join("\n  ")}
  (core module $Core
    (import "host" "mark" (func $mark (param i32)))
    ${entries.map(([name, { core }]) => `(import "host" "${name}" (func $${name} ${core}))`).join("\n    ")}
    (global $resumed (export "resumed") (mut i32) (i32.const 0))
    (func (export "nothing") (call $nothing))
    (func (export "i32-value") (param i32) (result i32) (call $i32-value (local.get 0)))
    (func (export "i64-value") (param i64) (result i64) (call $i64-value (local.get 0)))
    (func (export "f32-value") (param f32) (result f32) (call $f32-value (local.get 0)))
    (func (export "f64-value") (param f64) (result f64) (call $f64-value (local.get 0)))
    (func (export "text") (param i32 i32) (result i32)
      (call $text (local.get 0) (local.get 1) (i32.const 8)) (i32.const 8))
    (func (export "marked") (call $mark (i32.const 1)) (call $nothing) (global.set $resumed (i32.const 1)) (call $mark (i32.const 2)))
    (func (export "twice") (param i32) (result i32) (call $i32-value (call $i32-value (local.get 0))))
    (func (export "caught") (block $c (try_table (catch_all $c) (call $nothing))) (call $mark (i32.const 3))))
  (core instance $core (instantiate $Core (with "host" (instance
    (export "mark" (func $mark'))
    ${entries.map(([name]) => `(export "${name}" (func $${name}))`).join(" ")}))))
  ${entries.map(([name, { type }]) => `(func $${name}' ${type.slice("(func".length, -1)} (canon lift (core func $core "${name}") (memory $memory) (realloc $realloc)))`).join("\n  ")}
  (instance $out ${entries.map(([name]) => `(export "${name}" (func $${name}'))`).join(" ")})
  (export "api" (instance $out))
  (func (export "marked") (canon lift (core func $core "marked")))
  (func (export "caught") (canon lift (core func $core "caught")))
  (func (export "twice") (param "x" u32) (result u32) (canon lift (core func $core "twice")))`;

/** `depth` components one behind the other; the first calls the host. The last is exported as `guest`. */
export function waitingComponent(depth: number): string {
  const made = Array.from({ length: depth }, (_, index) => {
    const before = index === 0 ? `(instance $api)` : `(instance $i${index - 1} "api")`;
    return `(instance $i${index} (instantiate $Stage (with "api" ${before}) (with "mark" (func $host "mark"))))`;
  });
  return `(component
  (import "test:host/api" (instance $api ${imports}))
  (import "test:host/marks" (instance $host (export "mark" (func (param "n" u32)))))
  (component $Stage ${stage})
  ${made.join("\n  ")}
  (alias export $i${depth - 1} "api" (instance $last))
  (export "api" (instance $last))
  (export "guest" (instance $i${depth - 1})))`;
}
