import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { deserialize } from "node:v8";
import type { Transpiled, WaitingFunctions } from "../transpile.ts";

const program = fileURLToPath(new URL("transpile-main.ts", import.meta.url));

/** jco's bindings of a component; any number of them. */
export async function transpileApart(component: Uint8Array, waiting?: WaitingFunctions): Promise<Transpiled> {
  const options = waiting === undefined ? [] : [JSON.stringify(waiting)];
  const child = spawn(process.execPath, ["--no-warnings", program, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(component);
  return deserialize(await buffer(child.stdout)) as Transpiled;
}
