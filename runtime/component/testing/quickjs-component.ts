import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentize } from "componentize-qjs";

/** The packages of WASI 0.2, as jco has them. */
export const wasiPackages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

const library = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));

/** The WIT of one of them, as of 0.2.3. */
export async function wasiWit(name: string): Promise<string> {
  const wit = await readFile(join(library, "../lib/wit/builtin/0.2.12", `wasi-${name}`, "package.wit"), "utf8");
  return wit.replaceAll("0.2.12", "0.2.3");
}

interface QuickJsGuest {
  /** A WIT package, which may use WASI as of 0.2.3. */
  readonly wit: string;
  readonly world: string;
  readonly source: string;
}

/**
 * A component of JavaScript on QuickJS, with the bare WASI of its toolchain. The toolchain runs the guest once while it builds, and
 * has a WASI of its own: the guest is built against packages of another name, and the names are put right in the binary,
 * where both have the same length.
 */
export async function quickJsComponent({ wit, world, source }: QuickJsGuest): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-wit-"));
  try {
    for (const name of wasiPackages) {
      const target = join(directory, "deps", name);
      await mkdir(target, { recursive: true });
      await writeFile(join(target, "package.wit"), renamed(await wasiWit(name)));
    }
    await writeFile(join(directory, "world.wit"), renamed(wit));
    const options = { witPath: directory, world, jsSource: renamed(source), sync: true, optSize: true };
    const { component } = await componentize(options);
    return Buffer.from(component.toString("latin1").replaceAll("xasi:", "wasi:"), "latin1");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const renamed = (text: string): string => text.replaceAll("wasi:", "xasi:");
