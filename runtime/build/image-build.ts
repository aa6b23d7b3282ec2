import { mediaType, parsePlatform, type Platform } from "@shallop/sdk/image";
import { rfc3339, unreachable } from "@shallop/sdk/internal";
import { type BuildOrder, type BuiltVariant, DockerfileFault } from "@shallop/sdk/wire";
import { imageArchitecture } from "../image/choose.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildTools } from "./build-tools.ts";
import { type ConfigInstruction, commandLine, configAfter, workingDirectory } from "./config-step.ts";
import { emptyConfig, writeImageDescription } from "./container-config.ts";
import { expandWord } from "./dockerfile/expand.ts";
import { lineFault, shown } from "./dockerfile/fault.ts";
import type { ArgInstruction, CopyInstruction, Instruction } from "./dockerfile/instruction.ts";
import { parseDockerfile, parseTrigger } from "./dockerfile/parse.ts";
import {
  copySource,
  declaredArgs,
  own,
  planStages,
  type PlatformArgs,
  type Stage,
  type StageBase,
  type StagePlan,
} from "./dockerfile/stages.ts";
import type { DirectoryNode } from "./file-tree.ts";
import { copyStep, directoryStep } from "./file-step.ts";
import { runStep } from "./run-step.ts";
import { type ImageState, isProxyArg, Scope, withStep } from "./stage-state.ts";

/** A stage while it is built. */
interface Building {
  readonly stage: Stage;
  readonly platform: Platform;
  readonly scope: Scope;
  state: ImageState;
  /** CMD stands in this Dockerfile: ENTRYPOINT leaves it alone. */
  cmdSet: boolean;
  /** Everything so far was done by an earlier build. */
  cached: boolean;
}

/** More triggers than this are no convenience, but an attack on whoever builds upon the image. */
const triggersMax = 200;

/** One image of one Dockerfile. */
export class ImageBuild {
  readonly #tools: BuildTools;
  readonly #order: BuildOrder;
  readonly #context: BuildContext;
  readonly #platform: Platform;
  readonly #plan: StagePlan;
  readonly #escape: string;
  readonly #platformArgs: PlatformArgs;
  readonly #created: string;
  readonly #built = new Map<number, ImageState>();
  readonly #stepCount: number;
  #step = 0;
  #cachedCount = 0;

  /** @throws DockerfileFault DOCKERFILE_INVALID */
  constructor(tools: BuildTools, order: BuildOrder, context: BuildContext) {
    this.#tools = tools;
    this.#order = order;
    this.#context = context;
    this.#platform = platformOf(order.platform);
    this.#platformArgs = platformArgs(this.#platform);
    this.#created = rfc3339(tools.settings.createdMs);
    const file = parseDockerfile(context.dockerfile);
    this.#escape = file.escape;
    this.#plan = planStages(file, { buildArgs: order.buildArgs, platformArgs: this.#platformArgs }, order.target);
    this.#stepCount = this.#plan.stages.reduce((sum, { instructions }) => sum + 1 + instructions.length, 0);
    const declared = declaredArgs(file);
    const unused = Object.keys(order.buildArgs).filter((name) => !declared.has(name) && !isProxyArg(name));
    if (unused.length > 0)
      this.#note(`nothing declares the build arguments ${unused.join(", ")}: write ARG NAME in the stage`);
  }

  /** @throws DockerfileFault, ImageFault */
  async run(): Promise<BuiltVariant> {
    for (const stage of this.#plan.stages) this.#built.set(stage.index, await this.#stage(stage));
    const state = this.#built.get(this.#plan.target.index);
    if (state === undefined) throw lineFault(1, "the target was not built");
    return this.#write(state);
  }

  async #stage(stage: Stage): Promise<ImageState> {
    const platform = stage.platform === undefined ? this.#platform : platformOf(stage.platform, stage.line);
    this.#begin(stage.text);
    const state = await atLine(stage, () => this.#baseOf(stage.base, platform));
    const building: Building = {
      ...{ stage, platform, state, cmdSet: false, cached: true },
      scope: new Scope(this.#escape),
    };
    this.#end(true);
    const { onBuild } = state.description.config;
    if (onBuild.length > triggersMax)
      throw lineFault(stage.line, `the base image has more than ${triggersMax} ONBUILD`, "BASE_INVALID");
    if (onBuild.length > 0) {
      this.#note(`ONBUILD of the base: ${onBuild.map(shown).join(", ").slice(0, 1000)}`);
      const { config } = state.description;
      building.state = { ...state, description: { ...state.description, config: { ...config, onBuild: [] } } };
      for (const trigger of onBuild) await this.#instruction(building, parseTrigger(trigger, stage.line));
    }
    for (const instruction of stage.instructions) {
      this.#begin(instruction.text);
      await this.#instruction(building, instruction);
      this.#end(building.cached);
    }
    return building.state;
  }

  async #instruction(building: Building, instruction: Instruction): Promise<void> {
    this.#tools.signal.throwIfAborted();
    await atLine(instruction, () => this.#carryOut(building, instruction));
  }

  async #carryOut(building: Building, instruction: Instruction): Promise<void> {
    const { state, scope } = building;
    const { line } = instruction;
    const expansion = scope.expansion(state, line);
    const word = (text: string): string => expandWord(text, expansion);
    switch (instruction.kind) {
      case "from":
        return;
      case "arg":
        this.#declare(building, instruction, line);
        building.state = withStep(state, instruction.text, this.#created, undefined);
        return;
      case "maintainer":
        building.state = withStep(
          { ...state, description: { ...state.description, author: instruction.value } },
          ...[instruction.text, this.#created, undefined],
        );
        return;
      case "workdir":
        await this.#workdir(building, word(instruction.value), line);
        return;
      case "run": {
        const run = { id: this.#order.id, instruction, scope, line, buildArgs: this.#order.buildArgs };
        const args = scope.runArgs(state).filter(([name]) => !isProxyArg(name));
        const given = args.length === 0 ? "" : `|${args.length} ${args.map((pair) => pair.join("=")).join(" ")} `;
        const command = commandLine(state.description.config, instruction.command).join(" ");
        await this.#layer(building, `RUN ${given}${command}`, () => runStep(this.#tools, state, run));
        return;
      }
      case "copy":
      case "add": {
        const from = instruction.from === undefined ? undefined : await this.#copyRoot(building, instruction, line);
        const copy = { instruction, expansion, context: this.#context, from };
        const files = [...instruction.sources.map(word), ...instruction.heredocs.map(({ name }) => `<<${name}`)];
        const source = instruction.from === undefined ? "" : `--from=${instruction.from} `;
        const createdBy = `${instruction.kind.toUpperCase()} ${source}${files.join(" ")} ${word(instruction.destination)}`;
        await this.#layer(building, createdBy, () => copyStep(this.#tools, state, copy));
        return;
      }
      case "cmd":
      case "entrypoint":
      case "label":
      case "env":
      case "expose":
      case "volume":
      case "user":
      case "stopsignal":
      case "onbuild":
      case "healthcheck":
      case "shell":
        this.#config(building, instruction);
        return;
      default:
        unreachable(instruction);
    }
  }

  #config(building: Building, instruction: ConfigInstruction): void {
    const { state, scope } = building;
    const expansion = scope.expansion(state, instruction.line);
    const config = configAfter(state.description.config, instruction, expansion, building.cmdSet);
    if (instruction.kind === "cmd") building.cmdSet = true;
    const after = { ...state, description: { ...state.description, config } };
    building.state = withStep(after, instruction.text, this.#created, undefined);
  }

  async #workdir(building: Building, path: string, line: number): Promise<void> {
    const { state } = building;
    if (path === "") throw lineFault(line, "WORKDIR names no directory");
    const workingDir = workingDirectory(state.description.config.workingDir, path);
    building.state = {
      ...state,
      description: { ...state.description, config: { ...state.description.config, workingDir } },
    };
    await this.#layer(building, `WORKDIR ${workingDir}`, () => directoryStep(this.#tools, state, workingDir, line));
  }

  async #layer(
    building: Building,
    createdBy: string,
    step: () => Promise<{ readonly layer: ImageState["layers"][number] | undefined; readonly cached: boolean }>,
  ): Promise<void> {
    const { layer, cached } = await step();
    building.cached &&= cached;
    building.state = withStep(building.state, createdBy, this.#created, layer);
  }

  #declare({ scope, state }: Building, { args }: ArgInstruction, line: number): void {
    for (const { name, value } of args) {
      const given =
        own(this.#order.buildArgs, name) ??
        (value === undefined ? undefined : expandWord(value, scope.expansion(state, line))) ??
        this.#plan.globalArgs.get(name) ??
        own(this.#platformArgs, name);
      if (given !== undefined) scope.args.set(name, given);
    }
  }

  async #baseOf(base: StageBase, platform: Platform): Promise<ImageState> {
    switch (base.kind) {
      case "scratch":
        return { layers: [], description: { platform, config: emptyConfig, diffIds: [], history: [] } };
      case "stage": {
        const built = this.#built.get(base.index);
        if (built === undefined) throw new DockerfileFault("DOCKERFILE_INVALID", "the stage is not built yet");
        return built;
      }
      case "image": {
        const { bases, signal } = this.#tools;
        return bases.get(base.reference, platform, signal);
      }
      default:
        return unreachable(base);
    }
  }

  async #copyRoot({ stage, platform }: Building, { from = "" }: CopyInstruction, line: number): Promise<DirectoryNode> {
    const source = copySource(from, this.#plan.stages, { index: stage.index, line });
    const { layers } = await this.#baseOf(source, platform);
    return this.#tools.trees.tree(layers);
  }

  async #write({ description, layers }: ImageState): Promise<BuiltVariant> {
    const { store } = this.#tools;
    const labels = { ...description.config.labels, ...this.#order.labels };
    const labelled = { ...description, config: { ...description.config, labels } };
    const config = await store.put(writeImageDescription(labelled, this.#created), mediaType.config);
    const document = {
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config,
      layers: layers.map(({ descriptor }) => descriptor),
    };
    const manifest = await store.put(new TextEncoder().encode(JSON.stringify(document)), mediaType.manifest);
    const { os, architecture, variant } = description.platform;
    const platform = { architecture, os, ...(variant === undefined ? {} : { variant }) };
    const packages = await this.#packagesOf(layers);
    return {
      ...{ manifest: { ...manifest, platform }, stepCount: this.#stepCount, cachedCount: this.#cachedCount },
      ...(packages === undefined ? {} : { packages }),
    };
  }

  async #packagesOf(layers: ImageState["layers"]): Promise<BuiltVariant["packages"]> {
    const { settings, trees, packages } = this.#tools;
    return settings.listsPackages === true ? packages.of(await trees.tree(layers)) : undefined;
  }

  #begin(text: string): void {
    const { id } = this.#order;
    this.#tools.emit({ id, kind: "step", number: ++this.#step, count: this.#stepCount, text: text.slice(0, 500) });
  }

  #end(cached: boolean): void {
    if (!cached) return;
    this.#cachedCount++;
    this.#tools.emit({ id: this.#order.id, kind: "cached", number: this.#step });
  }

  #note(text: string): void {
    this.#tools.emit({ id: this.#order.id, kind: "note", text });
  }
}

/** Puts the line before the message of whatever fails there. */
async function atLine<Value>(
  { line, text }: { readonly line: number; readonly text: string },
  act: () => Promise<Value>,
): Promise<Value> {
  try {
    return await act();
  } catch (error) {
    if (!isCoded(error) || error.message.startsWith("line ")) throw error;
    const [keyword] = text.split(" ");
    throw new DockerfileFault(error.code, `line ${line}: ${keyword ?? ""}: ${error.message}`, { cause: error });
  }
}

type Coded = Error & { readonly code: DockerfileFault["code"] };
/** Faults of builds and images; not errors of Node. */
const isCoded = (error: unknown): error is Coded =>
  error instanceof Error && "retryable" in error && "code" in error && typeof error.code === "string";

/** @throws DockerfileFault DOCKERFILE_INVALID */
function platformOf(text: string, line = 1): Platform {
  const platform = parsePlatform(text, { os: "linux", architecture: imageArchitecture(process.arch) });
  if (platform === undefined) throw lineFault(line, `${shown(text)} is no platform such as linux/amd64`);
  return platform;
}

/** Docker's predefined arguments of platforms. */
function platformArgs({ os, architecture, variant }: Platform): PlatformArgs {
  const buildArch = imageArchitecture(process.arch);
  return {
    TARGETPLATFORM: [os, architecture, ...(variant === undefined ? [] : [variant])].join("/"),
    TARGETOS: os,
    TARGETARCH: architecture,
    TARGETVARIANT: variant ?? "",
    BUILDPLATFORM: `linux/${buildArch}`,
    BUILDOS: "linux",
    BUILDARCH: buildArch,
    BUILDVARIANT: "",
  };
}
