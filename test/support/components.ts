import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";

const handlerWit = `package shallop:test;

world guest {
  export wasi:http/incoming-handler@0.2.3;
}

package wasi:http@0.2.3 {
  interface types {
    resource incoming-request;
    resource response-outparam;
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
}
`;

const trappingText = `(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32) unreachable))`;

/** A component that handles each request with the `unreachable` instruction. */
export async function trappingComponent(): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary: await parse(trappingText), witSource: handlerWit }), []);
}

/** A component that would handle requests, if somebody gave it `name`, an interface that nobody has. */
export async function componentThatImports(name: string): Promise<Uint8Array> {
  const [pkg = "", rest = ""] = name.split("/");
  const [interfaceName = "", version = ""] = rest.split("@");
  const wit = handlerWit
    .replace("world guest {", `world guest {\n  import ${name};`)
    .concat(`\npackage ${pkg}@${version} {\n  interface ${interfaceName} {\n    answer: func() -> u32;\n  }\n}\n`);
  const text = `(module
    (import "${name}" "answer" (func (result i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
    (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32) unreachable))`;
  return componentNew(await componentEmbed({ binary: await parse(text), witSource: wit }), []);
}
