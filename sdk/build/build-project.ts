import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import {
  type ContentStore,
  type NativeSource,
  type WasmSource,
  writeImage,
  type WrittenImage,
} from "../image/index.ts";
import { checkSource } from "./bundle.ts";
import { buildComponent, type BuiltComponent } from "./component.ts";
import { componentNames } from "./engine/component-binary.ts";
import { type EngineChoice, type EngineMeasure, measuredComponent } from "./engine/choose.ts";
import { targetWorld } from "./engine/wit.ts";
import { languageOf, type Source } from "./language/language.ts";
import { type Environment, Tools } from "./language/tools.ts";
import { compiledVariant } from "./native/compiled-variant.ts";
import { nodeVariant } from "./native/node-variant.ts";
import type { NativeProject, Project, RootfsNativeProject } from "./project.ts";

export interface BuildOptions {
  /** Overrides the project's. `auto` builds with every engine, and takes the one that starts soonest. */
  readonly engine?: EngineChoice;
  /** Where engines are kept between builds. */
  readonly cacheDirectory: string;
  /** Of compilers, the PATH among it. */
  readonly environment: Environment;
  /** Told of each step as it begins, in words for people. */
  readonly onStep?: (step: string) => void;
  /** What `created` says; SOURCE_DATE_EPOCH in milliseconds. 0 unless given. */
  readonly createdMs?: number;
}

export interface BuiltImage {
  readonly image: WrittenImage;
  readonly wasm?: BuiltComponent;
  /** Of every engine that was tried, the chosen one first; absent where nothing was built with an engine. */
  readonly engines?: readonly EngineMeasure[];
}

interface MeasuredComponent {
  readonly component: BuiltComponent;
  readonly engines?: readonly EngineMeasure[];
}

/** One build of a project. */
interface Build {
  readonly project: Project;
  readonly options: BuildOptions;
  /** For files that are gone afterwards. */
  readonly scratch: string;
  readonly step: (step: string) => void;
}

/**
 * Builds every variant of a project and writes the image into the store. The same source gives the same digests.
 * @throws BuildFault, ImageFault
 */
export async function buildProject(project: Project, store: ContentStore, options: BuildOptions): Promise<BuiltImage> {
  const step = options.onStep ?? ((): void => undefined);
  const scratch = await mkdtemp(join(tmpdir(), "shallop-build-"));
  const build: Build = { project, options, scratch, step };
  try {
    const [built, native] = await Promise.all([
      buildWasm(build),
      Promise.all(project.native.map((variant, index) => nativeSource(build, variant, `native-${index}`))),
    ]);
    const wasm = built === undefined ? undefined : await wasmSource(built.component, scratch);
    step("writing the image");
    const image = await writeImage(store, {
      native,
      annotations: { "org.opencontainers.image.version": project.version },
      createdMs: options.createdMs ?? 0,
      ...(wasm === undefined ? {} : { wasm }),
    });
    if (built === undefined) return { image };
    return { image, wasm: built.component, ...(built.engines === undefined ? {} : { engines: built.engines }) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function buildWasm(build: Build): Promise<MeasuredComponent | undefined> {
  const { project, options, step } = build;
  const { wasm } = project;
  if (wasm === undefined) return undefined;
  step(`building the wasm variant from ${wasm.source}`);
  const path = resolve(project.directory, wasm.source);
  const language = languageOf(path);
  if (language !== undefined) {
    await checkSource(path);
    const bytes = await language.component(await sourceOf(build, wasm, "wasm"));
    return { component: { bytes, ...componentNames(bytes), target: targetWorld } };
  }
  const choice = options.engine ?? wasm.engine;
  if (extname(path) !== ".wasm") {
    return measuredComponent(choice, (engine) => buildComponent(path, engine, options.cacheDirectory), step);
  }
  return { component: await buildComponent(path, "quickjs", options.cacheDirectory) };
}

/** What a compiler is given, with a directory of its own: variants are built side by side. */
async function sourceOf(
  { project, options, scratch, step }: Build,
  variant: { readonly source: string; readonly args: readonly string[]; readonly libc?: boolean },
  name: string,
): Promise<Source> {
  const directory = join(scratch, `${name}-build`);
  await mkdir(directory);
  return {
    path: resolve(project.directory, variant.source),
    directory: project.directory,
    args: variant.args,
    libc: variant.libc === true,
    tools: new Tools(
      options.environment,
      project.tools === undefined ? undefined : resolve(project.directory, project.tools),
    ),
    scratch: directory,
    cacheDirectory: options.cacheDirectory,
    step,
  };
}

async function wasmSource(component: BuiltComponent, scratch: string): Promise<WasmSource> {
  const path = join(scratch, "component.wasm");
  await writeFile(path, component.bytes);
  const { imports, exports, target } = component;
  return {
    path,
    title: "component.wasm",
    component: { imports, exports, ...(target === undefined ? {} : { target }) },
  };
}

async function nativeSource(build: Build, variant: NativeProject, name: string): Promise<NativeSource> {
  const { project, scratch, step } = build;
  if (variant.kind === "rootfs") {
    step(`packing the native variant ${variant.platform} from ${variant.rootfs}`);
    return rootfsSource(project, variant);
  }
  step(`building the native variant from ${variant.source}`);
  const path = resolve(project.directory, variant.source);
  if (variant.kind === "node") return nodeVariant(path, variant.env, join(scratch, name));
  await checkSource(path);
  return compiledVariant(await sourceOf(build, variant, name), variant.env, join(scratch, name));
}

function rootfsSource(project: Project, variant: RootfsNativeProject): NativeSource {
  // Checked when the project file was read.
  const [os = "linux", architecture = "amd64", cpuVariant] = variant.platform.split("/");
  const path = resolve(project.directory, variant.rootfs);
  return {
    platform: { os, architecture, ...(cpuVariant === undefined ? {} : { variant: cpuVariant }) },
    layers: [/\.(tar|tgz|tar\.gz)$/.test(path) ? { archive: path } : { directory: path }],
    config: {
      env: variant.env,
      entrypoint: variant.entrypoint,
      cmd: variant.cmd,
      user: variant.user,
      workingDir: variant.workingDir,
    },
  };
}
