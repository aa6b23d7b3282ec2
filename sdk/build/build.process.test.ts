import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentStore } from "../image/index.ts";
import { buildProject, type BuiltImage } from "./build-project.ts";
import { bundleFunction } from "./bundle.ts";
import { buildComponent } from "./component.ts";
import { componentNames } from "./engine/component-binary.ts";
import { buildWith, type EngineName, engineNames } from "./engine/engine.ts";
import { measureStart } from "./engine/measure-start.ts";
import { binaryOf, unsigned } from "./engine/wasm-binary.ts";
import { readProject } from "./project.ts";
import { createProject, type templateNames } from "./template.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const handler = "wasi:http/incoming-handler@0.2.10";

let scratch: string;
let cacheDirectory: string;
let store: ContentStore;
let count = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "shallop-build-test-"));
  cacheDirectory = join(scratch, "cache");
  store = await ContentStore.open(join(scratch, "store"));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const directory = join(scratch, `source-${count++}`);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return directory;
}

const build = async (directory: string): Promise<BuiltImage> =>
  buildProject(await readProject(directory), store, { cacheDirectory, environment: process.env });

async function failureOf(
  source: string | Uint8Array,
  name = "function.ts",
  engine: EngineName = "quickjs",
): Promise<unknown> {
  const directory = await write({ [name]: source });
  return buildComponent(join(directory, name), engine, cacheDirectory).catch((error: unknown) => error);
}

describe("every template and sample becomes an image", () => {
  // Those of compiled languages are in test/conformance.
  test.each(["typescript", "hono", "component", "native"] satisfies (typeof templateNames)[number][])(
    "template %s",
    async (template) => {
      const directory = join(scratch, "templates", template);
      await createProject(template, directory, cacheDirectory);
      // What `npm install` would do.
      await symlink(join(root, "node_modules"), join(directory, "node_modules"));
      const built = await build(directory);
      expect(built.image.index.digest).toMatch(/^sha256:/);
      if (template !== "native") expect(built.wasm?.exports).toContain(handler);
      expect(built.wasm === undefined).toBe(template === "native");
      expect(built.engines?.map(({ engine }) => engine)).toEqual(
        template === "typescript" || template === "hono" ? ["quickjs"] : undefined,
      );
    },
  );

  test.each(["hello", "hono", "native"])("sample %s, with the same digest each time", async (sample) => {
    const directory = join(root, "samples", sample);
    const first = await build(directory);
    const second = await build(directory);
    expect(second.image.index.digest).toBe(first.image.index.digest);
  });
});

test("the layer with Node is kept for other stores, and made anew where what was kept is not whole", async () => {
  const project = await readProject(join(root, "samples/native"));
  const buildElsewhere = async (): Promise<string> => {
    const elsewhere = await ContentStore.open(join(scratch, `store-${count++}`));
    return (await buildProject(project, elsewhere, { cacheDirectory, environment: process.env })).image.index.digest;
  };
  const digest = await buildElsewhere();
  const [kept = ""] = await readdir(join(cacheDirectory, "node-base"));
  const path = join(cacheDirectory, "node-base", kept);
  const { ino, size } = await stat(path);
  expect(await buildElsewhere()).toBe(digest);
  expect((await stat(path)).ino).toBe(ino);
  await truncate(path, size - 1);
  expect(await buildElsewhere()).toBe(digest);
  expect((await stat(path)).size).toBe(size);
});

const greeting = `const seen = new Map([["a", { at: Date.now() }]]);
export default { async fetch(request: Request) { await null; return Response.json([...seen, request.url]); } };`;

const greetings = new Map<EngineName, Promise<Uint8Array>>();

/** The greeting as a component, built once for all that do not ask how. */
function greetingComponent(engine: EngineName): Promise<Uint8Array> {
  const build = async (): Promise<Uint8Array> =>
    (await buildComponent(join(await write({ "function.ts": greeting }), "function.ts"), engine, cacheDirectory)).bytes;
  const built = greetings.get(engine) ?? build();
  greetings.set(engine, built);
  return built;
}

describe("the same source gives the same component", () => {
  test.each(engineNames)("twice, and in another directory, with %s", async (engine) => {
    const second = join(await write({ "far/away/function.ts": greeting }), "far/away/function.ts");
    const { bytes } = await buildComponent(second, engine, cacheDirectory);
    expect(Buffer.compare(bytes, await greetingComponent(engine))).toBe(0);
  });

  test("also where the engine has to be made anew", async () => {
    const path = join(await write({ "function.ts": greeting }), "function.ts");
    const { bytes } = await buildComponent(path, "quickjs", join(scratch, "another cache"));
    expect(Buffer.compare(bytes, await greetingComponent("quickjs"))).toBe(0);
  });

  test("and another source another one", async () => {
    const path = join(await write({ "function.ts": greeting.replace('"a"', '"b"') }), "function.ts");
    const { bytes } = await buildComponent(path, "quickjs", cacheDirectory);
    expect(Buffer.compare(bytes, await greetingComponent("quickjs"))).not.toBe(0);
  });
});

describe("a function that cannot be built gets a code and a sentence", () => {
  test.each([
    {
      what: "throws at its top level",
      source: 'throw new RangeError("on purpose");',
      code: "FUNCTION_INVALID",
      says: "RangeError: on purpose",
    },
    {
      what: "prints before it throws",
      source: 'console.log("nearly there"); throw new Error("no");',
      code: "FUNCTION_INVALID",
      says: "nearly there",
    },
    {
      what: "has no default export",
      source: "export const fetch = () => new Response();",
      code: "FUNCTION_INVALID",
      says: "default",
    },
    {
      what: "exports no function",
      source: "export default { get: 1 };",
      code: "FUNCTION_INVALID",
      says: "default export with a fetch function",
    },
    { what: "does not parse", source: "export default {{{", code: "SOURCE_INVALID", says: "function.ts" },
    {
      what: "imports a missing file",
      source: 'import "./missing.ts"; export default { fetch() {} };',
      code: "SOURCE_INVALID",
      says: "./missing.ts",
    },
    {
      what: "imports a missing package",
      source: 'import x from "no-such-package"; export default { fetch: x };',
      code: "SOURCE_INVALID",
      says: "no-such-package",
    },
    {
      what: "imports a module of Node",
      source: 'import { readFileSync } from "node:fs"; export default { fetch: readFileSync };',
      code: "SOURCE_INVALID",
      says: "node:fs",
    },
    {
      what: "waits at its top level",
      source: "await 1; export default { fetch() {} };",
      code: "SOURCE_INVALID",
      says: "await",
    },
    {
      what: "asks for chance at its top level",
      source: "const id = Math.random(); export default { fetch: () => new Response(String(id)) };",
      code: "FUNCTION_INVALID",
      says: "when a request arrives",
    },
  ])("one that $what", async ({ source, code, says }) => {
    const failure = await failureOf(source);
    expect(failure).toMatchObject({ code });
    expect(String(failure)).toContain(says);
    // One message for people: no colours, no stack of ours.
    expect(String(failure)).not.toContain("\u001b[");
  });

  test.each(engineNames)("one that throws says where in the sources, with %s", async (engine) => {
    const directory = await write({
      "config.ts":
        "interface Config {\n  readonly port: number;\n}\n\nexport function port(config?: Config): number {\n  return config!.port;\n}\n",
      "function.ts":
        'import { port } from "./config.ts";\n\nconst chosen = port();\nexport default { fetch: () => new Response(String(chosen)) };\n',
    });
    const failure = await buildComponent(join(directory, "function.ts"), engine, cacheDirectory).catch(
      (error: unknown) => error,
    );
    const { message } = failure as Error;
    // Where in the line differs from engine to engine.
    expect(message).toContain(`\n    at ${join(directory, "config.ts")}:6:`);
    expect(message).toContain(`\n    at ${join(directory, "function.ts")}:3:`);
    expect(message).not.toMatch(/<input>|function\.js|\(native\)|componentize/);
  });

  test("one that never ends, with either engine", async () => {
    const directory = await write({ "function.ts": "for (;;); export default { fetch() {} };" });
    for (const engine of engineNames) {
      const { code } = await bundleFunction(join(directory, "function.ts"), engine);
      // Long enough for the engine itself to start.
      const failure = await buildWith[engine](code, cacheDirectory, 3_000).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "FUNCTION_INVALID" });
      expect(String(failure)).toContain("did not end within 3 seconds");
    }
  });

  test("one that throws under StarlingMonkey", async () => {
    const failure = await failureOf('throw new RangeError("on purpose");', "function.ts", "starlingmonkey");
    expect(failure).toMatchObject({ code: "FUNCTION_INVALID" });
    expect(String(failure)).toContain("on purpose");
  });

  test("one that is not there", async () => {
    const failure = await buildComponent(join(scratch, "nowhere.ts"), "quickjs", cacheDirectory).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "SOURCE_INVALID" });
    expect(String(failure)).toContain("nowhere.ts");
  });
});

const modulePreamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
const text = (value: string): number[] => [...unsigned(value.length), ...new TextEncoder().encode(value)];

/** A core module with a memory and one function that does nothing, exported under `name`; it imports `imported`. */
function coreModule(name: string, imported: readonly [string, string]): Uint8Array {
  const section = (id: number, bytes: readonly number[]): { id: number; content: Uint8Array } => ({
    id,
    content: Uint8Array.from(bytes),
  });
  return binaryOf(modulePreamble, [
    section(1, [2, 0x60, 0, 0, 0x60, 1, 0x7f, 0]),
    section(2, [1, ...text(imported[0]), ...text(imported[1]), 0, 1]),
    section(3, [1, 0]),
    section(5, [1, 0, 1]),
    section(7, [2, ...text(name), 0, 1, ...text("memory"), 2, 0]),
    section(10, [1, 2, 0, 0x0b]),
  ]);
}

const preview1 = ["wasi_snapshot_preview1", "proc_exit"] as const;

describe("a WebAssembly binary", () => {
  test("that is a preview-1 command becomes a component", async () => {
    const directory = await write({ "command.wasm": coreModule("_start", preview1) });
    const built = await buildComponent(join(directory, "command.wasm"), "quickjs", cacheDirectory);
    expect(built.engine).toBeUndefined();
    expect(built.exports.some((name) => name.startsWith("wasi:cli/run@0.2"))).toBe(true);
  });

  test("that is a preview-1 reactor becomes a component", async () => {
    const directory = await write({ "reactor.wasm": coreModule("_initialize", preview1) });
    const built = await buildComponent(join(directory, "reactor.wasm"), "quickjs", cacheDirectory);
    expect(built.imports.some((name) => name.startsWith("wasi:cli/"))).toBe(true);
  });

  test.each([
    { what: "that imports what WASI has not", bytes: coreModule("_start", ["env", "abort"]), says: "env" },
    { what: "that breaks off", bytes: coreModule("_start", preview1).subarray(0, 30), says: "broken" },
    { what: "that is none", bytes: new TextEncoder().encode("#!/bin/sh"), says: "first bytes" },
    { what: "that is empty", bytes: new Uint8Array(), says: "first bytes" },
    {
      what: "that is a broken component",
      bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 0x0a, 0x7f),
      says: "unexpected end-of-file, at byte 0xa",
    },
    {
      what: "that exports what is not there",
      // Its one export is a function that is not there.
      bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 11, 7, 1, 0, 1, 0x66, 0x01, 0, 0),
      says: "is an invalid component: unknown function 0: function index out of bounds, at byte 0x",
    },
  ])("$what is refused", async ({ bytes, says }) => {
    const failure = await failureOf(bytes, "some.wasm");
    expect(failure).toMatchObject({ code: "COMPONENT_INVALID" });
    expect(String(failure)).toContain(says);
  });

  test("that is a component stays as it is, and its names are read", async () => {
    for (const engine of engineNames) {
      const bytes = await greetingComponent(engine);
      const directory = await write({ "component.wasm": bytes });
      const built = await buildComponent(join(directory, "component.wasm"), engine, cacheDirectory);
      expect(Buffer.compare(built.bytes, bytes)).toBe(0);
      expect(built.exports).toContain(handler);
      expect(built.imports).toContain("wasi:http/types@0.2.10");
    }
  });

  test("made by wit-component's own tools is read: the preview-1 adapter's component", async () => {
    const directory = await write({ "command.wasm": coreModule("_start", preview1) });
    const { bytes } = await buildComponent(join(directory, "command.wasm"), "quickjs", cacheDirectory);
    const { componentWit } = await import("@bytecodealliance/jco");
    const wit = await componentWit(bytes);
    for (const name of componentNames(bytes).imports) expect(wit).toContain(`import ${name};`);
  });
});

describe("the choice of engine", () => {
  test("auto builds and measures both, and takes the one that starts sooner", async () => {
    const directory = await write({
      "shallop.yaml": "name: hello\nwasm: { source: function.ts }\n",
      "function.ts": greeting,
    });
    const built = await buildProject(await readProject(directory), store, {
      cacheDirectory,
      environment: process.env,
      engine: "auto",
    });
    expect(built.engines?.map(({ engine }) => engine).sort()).toEqual(["quickjs", "starlingmonkey"]);
    const [first, second] = built.engines ?? [];
    expect(first?.startMs).toBeLessThanOrEqual(second?.startMs ?? 0);
    expect(built.wasm?.engine).toBe(first?.engine);
    expect(built.wasm?.bytes.length).toBe(first?.sizeBytes);
  });

  test("auto takes the other engine where one cannot run the function, and says why", async () => {
    const source = "const { name } = CompressionStream; export default { fetch: () => new Response(name) };";
    const directory = await write({
      "shallop.yaml": "name: hello\nwasm: { source: function.ts }\n",
      "function.ts": source,
    });
    const steps: string[] = [];
    const project = await readProject(directory);
    const built = await buildProject(project, store, {
      cacheDirectory,
      environment: process.env,
      engine: "auto",
      onStep: (step) => steps.push(step),
    });
    expect(built.wasm?.engine).toBe("starlingmonkey");
    expect(steps.join("\n")).toContain("quickjs cannot");
  });

  test("what cannot start cannot be measured", async () => {
    await expect(measureStart(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: "COMPONENT_INVALID" });
  });
});

test("crypto.subtle is put only into a function that names it", async () => {
  const naming = greeting.replace("export default", "void globalThis.crypto.subtle;\nexport default");
  expect(naming).not.toBe(greeting);
  const directory = await write({ "plain.ts": greeting, "naming.ts": naming });
  const [plain, named] = await Promise.all(
    ["plain.ts", "naming.ts"].map((name) => bundleFunction(join(directory, name), "quickjs")),
  );
  expect(plain?.code).not.toMatch(/subtle|HMAC/);
  expect(named?.code).toContain("HMAC");
});

test("npm packages are bundled, those in TypeScript and those in CommonJS", async () => {
  const directory = await write({
    "function.ts":
      'import { one } from "esm-package"; import two from "cjs-package"; if (one + two.two !== 3) throw new Error(String(one + two.two)); export default { fetch: () => new Response() };',
  });
  await cp(
    await write({ "package.json": '{"type":"module","exports":"./index.js"}', "index.js": "export const one = 1;" }),
    join(directory, "node_modules/esm-package"),
    { recursive: true },
  );
  await cp(
    await write({ "package.json": '{"main":"index.js"}', "index.js": "exports.two = 2;" }),
    join(directory, "node_modules/cjs-package"),
    { recursive: true },
  );
  expect((await buildComponent(join(directory, "function.ts"), "quickjs", cacheDirectory)).exports).toContain(handler);
});
