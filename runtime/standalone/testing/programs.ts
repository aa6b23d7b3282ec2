import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentNew, parse } from "@bytecodealliance/jco";

const readText = (name: string): Promise<string> => readFile(fileURLToPath(new URL(name, import.meta.url)), "utf8");

/** `tool.wat` as the core module that it is. */
export const toolModule = async (): Promise<Uint8Array> => parse(await readText("tool.wat"));

/** `tool.wat` as a component, by the adapter that `shallop build` uses. */
export async function toolComponent(): Promise<Uint8Array> {
  const library = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));
  const adapter = await readFile(join(library, "../lib/wasi_snapshot_preview1.command.wasm"));
  return componentNew(await toolModule(), [["wasi_snapshot_preview1", new Uint8Array(adapter)]]);
}

/** A command that does nothing but answer `code` from `run`: 0 for ok, 1 for an error. */
export const resultComponent = (code: 0 | 1): Promise<Uint8Array> =>
  parse(`(component
    (core module $m (func (export "run") (result i32) (i32.const ${code})))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $r (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $r)))`);

/** Writes a program where the command can find it. */
export async function writeProgram(directory: string, name: string, bytes: Uint8Array): Promise<string> {
  const path = join(directory, name);
  await mkdir(directory, { recursive: true });
  await writeFile(path, bytes);
  return path;
}

/** `error-code` of wasi:http/types, whole: a component that imports a function with another one is refused. */
const errorCode = `(type $dns0 (record (field "rcode" (option string)) (field "info-code" (option u16))))
      (export "DNS-error-payload" (type $dns (eq $dns0)))
      (type $alert0 (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
      (export "TLS-alert-received-payload" (type $alert (eq $alert0)))
      (type $size0 (record (field "field-name" (option string)) (field "field-size" (option u32))))
      (export "field-size-payload" (type $size (eq $size0)))
      (type $error0 (variant
        (case "DNS-timeout") (case "DNS-error" $dns) (case "destination-not-found")
        (case "destination-unavailable") (case "destination-IP-prohibited") (case "destination-IP-unroutable")
        (case "connection-refused") (case "connection-terminated") (case "connection-timeout")
        (case "connection-read-timeout") (case "connection-write-timeout") (case "connection-limit-reached")
        (case "TLS-protocol-error") (case "TLS-certificate-error") (case "TLS-alert-received" $alert)
        (case "HTTP-request-denied") (case "HTTP-request-length-required")
        (case "HTTP-request-body-size" (option u64)) (case "HTTP-request-method-invalid")
        (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
        (case "HTTP-request-header-section-size" (option u32)) (case "HTTP-request-header-size" (option $size))
        (case "HTTP-request-trailer-section-size" (option u32)) (case "HTTP-request-trailer-size" $size)
        (case "HTTP-response-incomplete") (case "HTTP-response-header-section-size" (option u32))
        (case "HTTP-response-header-size" $size) (case "HTTP-response-body-size" (option u64))
        (case "HTTP-response-trailer-section-size" (option u32)) (case "HTTP-response-trailer-size" $size)
        (case "HTTP-response-transfer-coding" (option string))
        (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout")
        (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
        (case "configuration-error") (case "internal-error" (option string))))
      (export "error-code" (type $error (eq $error0)))`;

/** An HTTP component that counts the requests of its instance: the first is answered with 201, the second with 202. */
export const counterComponent = (): Promise<Uint8Array> =>
  parse(`(component
    (import "wasi:http/types@0.2.0" (instance $http
      (export "fields" (type $fields (sub resource)))
      (export "incoming-request" (type $request (sub resource)))
      (export "outgoing-response" (type $response (sub resource)))
      (export "response-outparam" (type $outparam (sub resource)))
      ${errorCode}
      (export "[constructor]fields" (func (result (own $fields))))
      (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $response))))
      (export "[method]outgoing-response.set-status-code"
        (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
      (export "[static]response-outparam.set"
        (func (param "param" (own $outparam)) (param "response" (result (own $response) (error $error)))))))
    (alias export $http "incoming-request" (type $request))
    (alias export $http "response-outparam" (type $outparam))
    (core module $memory (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
    (core instance $m (instantiate $memory))
    (alias core export $m "memory" (core memory $mem))
    (alias core export $m "realloc" (core func $realloc))
    (core func $new-fields (canon lower (func $http "[constructor]fields")))
    (core func $new-response (canon lower (func $http "[constructor]outgoing-response")))
    (core func $status (canon lower (func $http "[method]outgoing-response.set-status-code")))
    (core func $set (canon lower (func $http "[static]response-outparam.set") (memory $mem) (realloc $realloc)))
    (core func $drop-request (canon resource.drop $request))
    (core module $main
      (import "h" "new-fields" (func $new-fields (result i32)))
      (import "h" "new-response" (func $new-response (param i32) (result i32)))
      (import "h" "status" (func $status (param i32 i32) (result i32)))
      (import "h" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
      (import "h" "drop-request" (func $drop-request (param i32)))
      (global $count (mut i32) (i32.const 200))
      (func (export "handle") (param $request i32) (param $outparam i32)
        (local $response i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call $drop-request (local.get $request))
        (local.set $response (call $new-response (call $new-fields)))
        (drop (call $status (local.get $response) (global.get $count)))
        (call $set (local.get $outparam) (i32.const 0) (local.get $response)
          (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
    (core instance $i (instantiate $main (with "h" (instance
      (export "new-fields" (func $new-fields)) (export "new-response" (func $new-response))
      (export "status" (func $status)) (export "set" (func $set)) (export "drop-request" (func $drop-request))))))
    (func $handle (param "request" (own $request)) (param "outparam" (own $outparam))
      (canon lift (core func $i "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))`);
