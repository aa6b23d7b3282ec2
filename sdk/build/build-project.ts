import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import {
  type ContentStore,
  type NativeSource,
  type WasmSource,
  writeImage,
  type WrittenImage,
} from "../image/index.ts";
import { buildComponent, type BuiltComponent } from "./component.ts";
import { type EngineChoice, type EngineMeasure, measuredComponent } from "./engine/choose.ts";
import { wasiVersion } from "./engine/wit.ts";
import { nodeVariant } from "./native/node-variant.ts";
import type { NativeProject, Project, RootfsNativeProject } from "./project.ts";

export interface BuildOptions {
  /** Overrides the project's. `auto` builds with every engine, and takes the one that starts soonest. */
  readonly engine?: EngineChoice;
  /** Where engines are kept between builds. */
  readonly cacheDirectory: string;
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

/**
 * Builds every variant of a project and writes the image into the store. The same source gives the same digests.
 * @throws BuildFault, ImageFault
 */
export async function buildProject(project: Project, store: ContentStore, options: BuildOptions): Promise<BuiltImage> {
  const step = options.onStep ?? ((): void => undefined);
  const scratch = await mkdtemp(join(tmpdir(), "shallop-build-"));
  try {
    const [built, native] = await Promise.all([
      buildWasm(project, options, step),
      Promise.all(
        project.native.map((variant, index) => nativeSource(project, variant, join(scratch, String(index)), step)),
      ),
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

async function buildWasm(
  project: Project,
  options: BuildOptions,
  step: (step: string) => void,
): Promise<MeasuredComponent | undefined> {
  const { wasm } = project;
  if (wasm === undefined) return undefined;
  step(`building the wasm variant from ${wasm.source}`);
  const path = resolve(project.directory, wasm.source);
  const choice = options.engine ?? wasm.engine;
  if (extname(path) !== ".wasm") {
    return measuredComponent(choice, (engine) => buildComponent(path, engine, options.cacheDirectory), step);
  }
  return { component: await buildComponent(path, "quickjs", options.cacheDirectory) };
}

async function wasmSource(component: BuiltComponent, scratch: string): Promise<WasmSource> {
  const path = join(scratch, "component.wasm");
  await writeFile(path, component.bytes);
  const { imports, exports } = component;
  const target = component.engine === undefined ? {} : { target: `wasi:http/proxy@${wasiVersion}` };
  return { path, title: "component.wasm", component: { imports, exports, ...target } };
}

async function nativeSource(
  project: Project,
  variant: NativeProject,
  scratch: string,
  step: (step: string) => void,
): Promise<NativeSource> {
  if (variant.kind === "rootfs") {
    step(`packing the native variant ${variant.platform} from ${variant.rootfs}`);
    return rootfsSource(project, variant);
  }
  step(`building the native variant from ${variant.source}`);
  return nodeVariant(resolve(project.directory, variant.source), variant.env, scratch);
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
