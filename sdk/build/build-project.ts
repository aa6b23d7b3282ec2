import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, relative, resolve } from "node:path";
import {
  type ContentStore,
  type NativeSource,
  type StoredVariant,
  type WasmSource,
  writeImage,
  type WrittenImage,
} from "../image/index.ts";
import { assert } from "../internal/assert.ts";
import { checkSource } from "./bundle.ts";
import { buildComponent, type BuiltComponent } from "./component.ts";
import { componentNames } from "./engine/component-binary.ts";
import { type EngineChoice, type EngineMeasure, measuredComponent } from "./engine/choose.ts";
import { targetWorld } from "./engine/wit.ts";
import { languageOf, type Source } from "./language/language.ts";
import { type Environment, Tools } from "./language/tools.ts";
import { compiledVariant } from "./native/compiled-variant.ts";
import { nodeVariant } from "./native/node-variant.ts";
import type { BuildOrder, BuiltVariant } from "../wire/builder.ts";
import { plannedVariants, type PlannedVariant } from "./planned-variants.ts";
import type { Project, RootfsNativeProject } from "./project.ts";

export interface BuildOptions {
  /** Overrides the project's. `auto` builds with every engine, and takes the one that starts soonest. */
  readonly engine?: EngineChoice;
  /** Where engines are kept between builds. */
  readonly cacheDirectory: string;
  /** Of compilers, the PATH among it. */
  readonly environment: Environment;
  /** Told of each step as it begins, in words for people. */
  readonly onStep?: (step: string) => void;
  /** Only variants for these: `linux/amd64`, `wasm`. All when absent. */
  readonly platforms?: readonly string[];
  /** Builds what Dockerfiles say, all of a project together; needed where there is one. */
  readonly buildDockerfiles?: (orders: readonly BuildOrder[]) => Promise<readonly BuiltVariant[]>;
  /** Over those of the project file. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** What `created` says; SOURCE_DATE_EPOCH in milliseconds. 0 unless given. */
  readonly createdMs?: number;
}

export interface BuiltImage {
  readonly image: WrittenImage;
  readonly wasm?: BuiltComponent;
  /** Of every engine that was tried, the chosen one first; absent where nothing was built with an engine. */
  readonly engines?: readonly EngineMeasure[];
  /** Of the variants that Dockerfiles make. */
  readonly fromDockerfiles: readonly BuiltVariant[];
}

interface MeasuredComponent {
  readonly component: BuiltComponent;
  readonly engines?: readonly EngineMeasure[];
}

/** One build of a project. */
interface Build {
  readonly project: Project;
  readonly store: ContentStore;
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
  const planned = plannedVariants(project, options.platforms);
  const scratch = await mkdtemp(join(tmpdir(), "shallop-build-"));
  const build: Build = { project, store, options, scratch, step };
  try {
    const [built, others, fromDockerfiles] = await Promise.all([
      planned.wasm ? buildWasm(build) : undefined,
      Promise.all(planned.native.map((variant, index) => nativeSource(build, variant, `native-${index}`))),
      buildDockerfiles(build, planned.native),
    ]);
    const rest = [...fromDockerfiles];
    const native = others.flatMap((source) => source ?? rest.shift() ?? []);
    const wasm = built === undefined ? undefined : await wasmSource(built.component, scratch);
    step("writing the image");
    const image = await writeImage(store, {
      native,
      annotations: { "org.opencontainers.image.version": project.version },
      createdMs: options.createdMs ?? 0,
      ...(wasm === undefined ? {} : { wasm }),
    });
    if (built === undefined) return { image, fromDockerfiles };
    const engines = built.engines === undefined ? {} : { engines: built.engines };
    return { image, wasm: built.component, fromDockerfiles, ...engines };
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

/** In the order of the project. */
async function buildDockerfiles(
  { project, options }: Build,
  variants: readonly PlannedVariant[],
): Promise<readonly BuiltVariant[]> {
  const orders = variants.flatMap((variant): readonly BuildOrder[] => {
    if (variant.kind !== "dockerfile") return [];
    const { dockerfile, context, target, buildArgs, platform } = variant;
    return [
      {
        id: `${relative(project.directory, resolve(project.directory, dockerfile))} ${platform}`,
        context: resolve(project.directory, context),
        dockerfile: resolve(project.directory, dockerfile),
        platform,
        buildArgs: { ...buildArgs, ...options.buildArgs },
        labels: options.labels ?? {},
        ...(target === undefined ? {} : { target }),
      },
    ];
  });
  if (orders.length === 0) return [];
  assert(options.buildDockerfiles !== undefined, "who builds projects with Dockerfiles gives a builder of them");
  return options.buildDockerfiles(orders);
}

/** Undefined for what a Dockerfile makes: those are built together. */
async function nativeSource(
  build: Build,
  variant: PlannedVariant,
  name: string,
): Promise<NativeSource | StoredVariant | undefined> {
  const { project, scratch, step } = build;
  if (variant.kind === "dockerfile") return undefined;
  if (variant.kind === "rootfs") {
    step(`packing the native variant ${variant.platform} from ${variant.rootfs}`);
    return rootfsSource(project, variant);
  }
  step(`building the native variant from ${variant.source}`);
  const path = resolve(project.directory, variant.source);
  if (variant.kind === "node") {
    const { cacheDirectory, createdMs = 0 } = build.options;
    const base = { store: build.store, cacheDirectory, scratch: join(scratch, name), mtimeMs: createdMs };
    return nodeVariant({ ...base, sourcePath: path, env: variant.env });
  }
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
