import { spawnSync } from "node:child_process";
import { rustForWasm } from "./rust.ts";

/** Of each compiled language, what this machine lacks to build it; undefined when nothing. `npm run setup` installs it where it may. */
export const missingTools = {
  c: lacks("clang", ["--target=wasm32-wasi", "--print-file-name=crt1-reactor.o"], /\//)
    ? "clang, lld and wasi-libc are not on this machine"
    : undefined,
  go: lacks("go", ["env", "GOVERSION"], /go1\.(2[4-9]|[3-9]\d)/)
    ? "go 1.24 or newer is not on this machine"
    : undefined,
  python: lacks("python3", ["-c", "import sys, pip; print(sys.version_info >= (3, 10))"], /True/)
    ? "Python 3.10 or newer with pip is not on this machine"
    : undefined,
  rust: rustForWasm() === undefined ? "a Rust with the target wasm32-wasip1 is not on this machine" : undefined,
} as const;

/** In which compilers are found. */
export const toolEnvironment: NodeJS.ProcessEnv = rustForWasm() ?? process.env;

function lacks(program: string, args: readonly string[], says: RegExp): boolean {
  const { status, stdout } = spawnSync(program, [...args], { encoding: "utf8" });
  return status !== 0 || !says.test(stdout);
}
