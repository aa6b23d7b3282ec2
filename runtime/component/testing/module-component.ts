import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";

/** A component of a core module that speaks the canonical ABI of a world of WASI 0.3: `wasi:http/service@0.3.0`. */
export async function moduleComponent(binary: Uint8Array, world: string): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary, witSource: witOf(world), world: "guest" }), []);
}

/** The standard's own packages, as jco carries them, in one text. */
function witOf(world: string): string {
  const jco = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));
  const builtin = join(jco, "../lib/wit/builtin/0.3.0");
  const packages = readdirSync(builtin).map((name) => {
    const text = readFileSync(join(builtin, name, "package.wit"), "utf8");
    return text.replace(/^package ([^;]+);/m, "package $1 {").concat("\n}\n");
  });
  return [`package shallop:test;\n\nworld guest {\n  include ${world};\n}\n`, ...packages].join("\n");
}
