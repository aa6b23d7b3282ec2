import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The version that a function's own imports carry. Any 0.2 will do for a host; it must not be the one that the engine's
 * adapter imports (0.2.12), since a component cannot import one name twice.
 */
const wasiVersion = "0.2.10";
const shippedVersion = "0.2.12";

/** What an image says that its component was built for. */
export const targetWorld = `wasi:http/proxy@${wasiVersion}`;

/** What a function may import: `wasi:http/proxy`, and the environment. */
const imports = [
  "io/error",
  "io/poll",
  "io/streams",
  "clocks/monotonic-clock",
  "clocks/wall-clock",
  "random/random",
  "cli/environment",
  "cli/stdout",
  "cli/stderr",
  "http/types",
  "http/outgoing-handler",
];

/** Full names of a function's imports, with WASI's namespace called `namespace`. */
export const importNames = (namespace: string): readonly string[] =>
  imports.map((name) => `${namespace}:${name}@${wasiVersion}`);

const world = (namespace: string, more = ""): string => `package shallop:function;

world function {
${importNames(namespace)
  .map((name) => `  import ${name};`)
  .join("\n")}
${more}  export ${namespace}:http/incoming-handler@${wasiVersion};
}
`;

/** How the build hands a script to the engine. */
const evaluateExport = "  export evaluate: func(source: string) -> result<_, string>;\n";

export const worldName = "function";

/** Where jco keeps the WIT of WASI 0.2. */
function shippedWit(): string {
  return join(
    dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco"))),
    "../lib/wit/builtin",
    shippedVersion,
  );
}

/** Writes the world and WASI's packages to a directory, with WASI's namespace called `namespace`. */
export async function writeWit(directory: string, namespace: string): Promise<void> {
  const dependencies = join(directory, "deps");
  await mkdir(directory, { recursive: true });
  await cp(shippedWit(), dependencies, { recursive: true });
  for (const name of await readdir(dependencies)) {
    const path = join(dependencies, name, "package.wit");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replaceAll(shippedVersion, wasiVersion).replaceAll("wasi:", `${namespace}:`));
  }
  await writeFile(join(directory, "world.wit"), world(namespace, evaluateExport));
}

/** The same as one text, for tools that take WIT by value. @param imports more than every function has: `cli/exit` */
export async function witText(imports: readonly string[] = []): Promise<string> {
  const more = imports.map((name) => `  import wasi:${name}@${wasiVersion};\n`).join("");
  const packages: string[] = [world("wasi", more)];
  for (const name of await readdir(shippedWit())) {
    const text = await readFile(join(shippedWit(), name, "package.wit"), "utf8");
    packages.push(`${text.replace(/^package ([^;]+);/, "package $1 {")}\n}`);
  }
  return packages.join("\n").replaceAll(shippedVersion, wasiVersion);
}
