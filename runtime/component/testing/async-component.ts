/** A component of the asynchronous ABI, as text: one core module, with a memory and the built-ins that it asks for. */
export interface AsyncComponent {
  /** Types and imports, before all else. */
  readonly before?: string;
  /** By the name that the core module has for it: the canonical definition, and for those that are lowered the core type. */
  readonly builtins?: Readonly<Record<string, string | readonly [canon: string, coreType: string]>>;
  /** Functions of the core module, which has a memory and `$realloc`. */
  readonly core: string;
  /** By name: the type, and the options of its lift. */
  readonly exports: Readonly<Record<string, readonly [type: string, options: string]>>;
  /** More of the component, after the core instance. */
  readonly after?: string;
}

const i32s = (params: number, result = "(result i32)"): string =>
  `${params === 0 ? "" : `(param${" i32".repeat(params)})`} ${result}`;

/** Core types of built-ins, by the operation. */
const coreTypes: Readonly<Record<string, string>> = {
  "stream.new": "(result i64)",
  "future.new": "(result i64)",
  "stream.read": i32s(3),
  "stream.write": i32s(3),
  "future.read": i32s(2),
  "future.write": i32s(2),
  "waitable-set.new": i32s(0),
  "waitable-set.wait": i32s(2),
  "waitable-set.poll": i32s(2),
  "waitable-set.drop": i32s(1, ""),
  "waitable.join": i32s(2, ""),
  "subtask.drop": i32s(1, ""),
  "task.return": i32s(1, ""),
  "task.cancel": i32s(0, ""),
  "backpressure.inc": i32s(0, ""),
  "backpressure.dec": i32s(0, ""),
  "context.get": i32s(0),
  "context.set": i32s(1, ""),
  "error-context.new": i32s(2),
  "error-context.debug-message": i32s(2, ""),
  "error-context.drop": i32s(1, ""),
  "thread.yield": i32s(0),
  "thread.suspend": i32s(0),
  "thread.index": i32s(0),
  "thread.resume-later": i32s(1, ""),
  "thread.new-indirect": i32s(2),
};

/** `$memory` and `$realloc` are there for its options; `$main` is the core instance. */
export function asyncComponent({ before = "", builtins = {}, core, exports, after = "" }: AsyncComponent): string {
  const made = Object.entries(builtins).map(([name, builtin]) => {
    const [canon, coreType] = typeof builtin === "string" ? [builtin, undefined] : builtin;
    return { name, canon, coreType: coreType ?? coreTypeOf(canon) };
  });
  return `(component
    ${before}
    (core module $Memory
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -8)))
        (global.get $next)
        (global.set $next (i32.add (global.get $next) (local.get 3)))))
    (core instance $m (instantiate $Memory))
    (alias core export $m "memory" (core memory $memory))
    (alias core export $m "realloc" (core func $realloc))
    (core module $Table (table (export "table") 8 funcref))
    (core instance $t (instantiate $Table))
    (alias core export $t "table" (core table $table))
    (core type $start (func (param i32)))
    ${made.map(({ name, canon }) => `(core func $b-${name} (canon ${canon}))`).join("\n    ")}
    (core module $Main
      (import "m" "memory" (memory 2))
      (import "m" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
      (import "t" "table" (table 8 funcref))
      ${made.map(({ name, coreType }) => `(import "b" "${name}" (func $${name} ${coreType}))`).join("\n      ")}
      (func $expect (param i32 i32)
        (if (i32.ne (local.get 0) (local.get 1)) (then (unreachable))))
      ${core})
    (core instance $main (instantiate $Main
      (with "m" (instance $m))
      (with "t" (instance $t))
      (with "b" (instance ${made.map(({ name }) => `(export "${name}" (func $b-${name}))`).join(" ")}))))
    ${after}
    ${Object.entries(exports)
      .map(([name, [type, options]]) => {
        const lift = `(canon lift (core func $main "${name}") ${options})`;
        return `(func (export "${name}") ${type} ${lift})`;
      })
      .join("\n    ")})`;
}

/** Components in one; `parts` are in order, each with its name, its text, and what it is given of those before it. */
export function compose(
  parts: readonly { readonly name: string; readonly text: string; readonly given?: string }[],
  exports: readonly (readonly [name: string, from: string])[],
): string {
  const made = parts.map(({ name, text, given = "" }) => {
    const component = text.replace("(component", `(component $c-${name}`);
    return `${component} (instance $${name} (instantiate $c-${name} ${given}))`;
  });
  const exported = exports.map(([name, from]) => `(export "${name}" (func $${from} "${name}"))`);
  return `(component ${[...made, ...exported].join("\n")})`;
}

function coreTypeOf(canon: string): string {
  const operation = canon.split(/\s/, 1)[0] ?? "";
  if (/^thread\..*-then-/.test(operation)) return i32s(1);
  if (/cancel/.test(operation) && operation !== "task.cancel") return i32s(1);
  if (/\.drop-/.test(operation)) return i32s(1, "");
  const coreType = coreTypes[operation];
  if (coreType === undefined) throw new TypeError(`the core type of ${operation} has to be given`);
  return coreType;
}

/** Options of a lift with a callback, which is called `NAME-cb` in the core module. */
export const callback = (name: string, more = ""): string => `async (callback (core func $main "${name}-cb")) ${more}`;

/** What a callback returns. */
export const wait = (set: string): string => `(i32.or (i32.const 2) (i32.shl ${set} (i32.const 4)))`;
