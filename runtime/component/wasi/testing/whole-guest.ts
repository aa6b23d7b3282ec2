import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentize } from "componentize-qjs";

const packages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
const world = `package shallop:test;

world guest {
  include xasi:cli/imports@0.2.3;
  include xasi:http/proxy@0.2.3;
}
`;

/**
 * `whole-guest.js` as a component. QuickJS's toolchain runs the guest once while it builds and has a WASI of its own: the
 * guest is built against packages of another name, and the names are put right in the binary (as host/testing does).
 */
export async function wholeGuest(): Promise<Uint8Array> {
  const source = await readFile(fileURLToPath(new URL("whole-guest.js", import.meta.url)), "utf8");
  const directory = await mkdtemp(join(tmpdir(), "wasi-guest-"));
  try {
    const library = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));
    for (const name of packages) {
      const target = join(directory, "deps", name);
      await cp(join(library, "..", "lib/wit/builtin/0.2.12", `wasi-${name}`), target, { recursive: true });
      const file = join(target, "package.wit");
      const wit = await readFile(file, "utf8");
      await writeFile(file, wit.replaceAll("wasi:", "xasi:").replaceAll("0.2.12", "0.2.3"));
    }
    await writeFile(join(directory, "world.wit"), world);
    const jsSource = source.replaceAll("wasi:", "xasi:");
    const { component } = await componentize({
      witPath: directory,
      world: "guest",
      jsSource,
      sync: true,
      optSize: true,
    });
    return Buffer.from(component.toString("latin1").replaceAll("xasi:", "wasi:"), "latin1");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
