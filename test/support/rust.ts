import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { unpackDebian13 } from "./debian.ts";

/** Where `npm run setup` puts a Rust that knows WebAssembly. */
const directory = "/usr/local/lib/shallop-rust";
const target = "wasm32-wasip1";

/** Of Debian 13: the compiler, what it is linked with, and its standard libraries. */
const packages = [
  ...[
    "rustc",
    "libstd-rust-1.85",
    "libstd-rust-dev",
    "libstd-rust-dev-wasm32",
    "lld-19",
    "libllvm19",
    "libc6",
    "libstdc++6",
  ],
  ...["libgcc-s1", "libz3-4", "libzstd1", "libxml2", "libedit2", "zlib1g", "libtinfo6", "liblzma5", "libffi8"],
  ...["libicu76", "libbsd0", "libmd0"],
];

/** The environment in which Rust makes WebAssembly; undefined when there is none on this machine. */
export function rustForWasm(): NodeJS.ProcessEnv | undefined {
  const installed = { ...process.env, PATH: [join(directory, "bin"), process.env["PATH"]].join(delimiter) };
  return [process.env, installed].find((env) => {
    const asked = spawnSync("rustc", ["--print", "target-libdir", "--target", target], { encoding: "utf8", env });
    const library = asked.stdout?.trim() ?? "";
    const hasStandardLibrary = existsSync(library) && readdirSync(library).some((name) => name.startsWith("libstd-"));
    return hasStandardLibrary && spawnSync("cargo", ["--version"], { env }).status === 0;
  });
}

/**
 * Debian 13's rustc under its own C library, for WebAssembly only: `rustc` and `cargo` in `bin` are this machine's for all
 * else.
 */
export function unpackRust(): void {
  const own = (name: string): string => execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
  const [rustc, cargo] = [own("rustc"), own("cargo")];
  const fresh = `${directory}.fresh`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(join(fresh, "bin"), { recursive: true });
  unpackDebian13(packages, fresh);
  // Targets that nobody builds for here: 200 MB.
  for (const name of ["wasm32-unknown-unknown", "wasm32-wasip2"])
    rmSync(join(fresh, "usr/lib/rustlib", name), { recursive: true, force: true });
  const libraries = join(directory, "usr/lib/x86_64-linux-gnu");
  const started = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries} ${directory}/usr`;
  const debian = `${started}/bin/rustc --sysroot ${directory}/usr`;
  const script = (forWasm: string, otherwise: string): string =>
    `#!/bin/sh\ncase "$*" in *wasm32*) ${forWasm};; esac\nexec ${otherwise} "$@"\n`;
  writeFileSync(join(fresh, "bin/rustc"), script(`exec ${debian} "$@"`, rustc), { mode: 0o755 });
  writeFileSync(join(fresh, "bin/cargo"), script(`export RUSTC=${directory}/bin/debian-rustc`, cargo), { mode: 0o755 });
  writeFileSync(join(fresh, "bin/debian-rustc"), `#!/bin/sh\nexec ${debian} "$@"\n`, { mode: 0o755 });
  // Where the linker of another release is too old, its programs trap.
  writeFileSync(join(fresh, "bin/rust-lld"), `#!/bin/sh\nexec ${started}/lib/llvm-19/bin/lld "$@"\n`, { mode: 0o755 });
  rmSync(directory, { recursive: true, force: true });
  renameSync(fresh, directory);
}
