import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startShallop } from "../../runtime/standalone/testing/shallop.ts";
import { keptBuildCache, keptCaches } from "../../sdk/internal/testing/index.ts";
import { toolEnvironment } from "./toolchains.ts";
import { buildProject, readProject } from "../../sdk/build/index.ts";
import { ContentStore, parseManifest, readVariants } from "../../sdk/image/index.ts";

/** Where the images of one test file are kept. */
export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly store: ContentStore;
}

export async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-compiled-"));
  const store = await ContentStore.open(join(directory, "store"));
  return { directory, store, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** What a project's image has: each variant as a file that can be started. */
export interface Compiled {
  readonly digest: string;
  readonly component?: string;
  readonly componentBytes: number;
  readonly program?: string;
}

/** Builds a project as `shallop build` does, and takes its variants out of the image. */
export async function compile(bench: Bench, project: string, environment = toolEnvironment): Promise<Compiled> {
  const built = await buildProject(await readProject(project), bench.store, {
    cacheDirectory: keptBuildCache,
    // Not into the sample; and what two projects share is compiled once.
    environment: { ...environment, CARGO_TARGET_DIR: join(keptCaches, "cargo") },
  });
  const { index } = built.image;
  const directory = await mkdtemp(join(bench.directory, "variants-"));
  const component = join(directory, "component.wasm");
  if (built.wasm !== undefined) await writeFile(component, built.wasm.bytes);
  const document = parseManifest(await bench.store.readBytes(index), index.mediaType, "the index");
  const { variants } = await readVariants({ descriptor: index, document }, (blob) => bench.store.readBytes(blob));
  const native = variants.find(({ kind }) => kind === "native");
  if (native !== undefined) {
    const manifest = parseManifest(
      await bench.store.readBytes(native.manifest),
      native.manifest.mediaType,
      "a variant",
    );
    for (const layer of "layers" in manifest ? manifest.layers : [])
      spawnSync("tar", ["-xzf", "-", "-C", directory], { input: await bench.store.readBytes(layer) });
  }
  return {
    digest: index.digest,
    componentBytes: built.wasm?.bytes.length ?? 0,
    ...(built.wasm === undefined ? {} : { component }),
    ...(native === undefined ? {} : { program: join(directory, "server") }),
  };
}

/** Something that answers at an address, until it is disposed of. */
export interface Answering extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** `shallop serve` of a component: our engine on a socket. */
export async function serveComponent(path: string, ...flags: readonly string[]): Promise<Answering> {
  const child = startShallop(["serve", path, "--addr", "127.0.0.1:0", ...flags]);
  const said = collect(child);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", () => {
      const found = /answers at (http:\S+)\n/.exec(said())?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("close", () => reject(new Error(said())));
  });
  return answering(child, url, said);
}

/** The native variant's program, as a process of this machine. */
export async function serveProgram(
  path: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Answering> {
  const port = await freePort();
  const child = spawn(path, { env: { PORT: String(port), ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  const said = collect(child);
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer !== undefined) break;
    if (attempt === 100 || child.exitCode !== null) throw new Error(`${path} does not answer: ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return answering(child, url, said);
}

function answering(child: ChildProcess, url: string, output: () => string): Answering {
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    child,
    url,
    output,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function collect(child: ChildProcess): () => string {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  return () => output;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
