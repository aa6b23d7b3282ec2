import { expandWord, type Lookup } from "./expand.ts";
import { lineFault, shown } from "./fault.ts";
import type { ArgInstruction, FromInstruction, Instruction } from "./instruction.ts";
import type { Dockerfile } from "./parse.ts";

/** What a stage is built upon, or files are taken from. */
export type StageBase =
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly index: number }
  | { readonly kind: "image"; readonly reference: string };

export interface Stage {
  readonly index: number;
  readonly name?: string;
  readonly line: number;
  /** The FROM, as it is written. */
  readonly text: string;
  readonly base: StageBase;
  /** `linux/arm64`; absent: the one that is built for. */
  readonly platform?: string;
  readonly instructions: readonly Instruction[];
}

/** Arguments that nobody has to declare for FROM: what is built for, and what builds. */
export type PlatformArgs = Readonly<Record<string, string>>;

export interface BuildInputs {
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly platformArgs: PlatformArgs;
}

export interface StagePlan {
  /** All that the target needs, in the order of the file. */
  readonly stages: readonly Stage[];
  readonly target: Stage;
  /** ARG before the first FROM: a stage that declares one without a value gets this one. */
  readonly globalArgs: ReadonlyMap<string, string>;
}

/**
 * The stages of a file, without those that the target does without. Pure.
 * @throws DockerfileFault DOCKERFILE_INVALID
 */
export function planStages(file: Dockerfile, inputs: BuildInputs, target?: string): StagePlan {
  const { escape, instructions } = file;
  const first = instructions.findIndex(({ kind }) => kind === "from");
  if (first < 0)
    throw lineFault(1, "there is no FROM, which says what the image is built upon (FROM scratch: nothing)");
  const globalArgs = readGlobalArgs(instructions.slice(0, first), inputs, escape);
  const lookup: Lookup = (name) => globalArgs.get(name) ?? own(inputs.platformArgs, name);
  const stages: Stage[] = [];
  for (const instruction of instructions.slice(first)) {
    const current = stages.at(-1);
    if (instruction.kind === "from") stages.push(stageOf(instruction, stages, { lookup, escape }));
    else if (current !== undefined)
      stages[stages.length - 1] = { ...current, instructions: [...current.instructions, instruction] };
  }
  const wanted = targetOf(stages, target);
  return { stages: neededFor(wanted, stages), target: wanted, globalArgs };
}

function readGlobalArgs(
  instructions: readonly Instruction[],
  inputs: BuildInputs,
  escape: string,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const lookup: Lookup = (name) => values.get(name) ?? own(inputs.platformArgs, name);
  for (const instruction of instructions) {
    if (instruction.kind !== "arg")
      throw lineFault(
        instruction.line,
        `before the first FROM there is only ARG, and not ${instruction.kind.toUpperCase()}`,
      );
    for (const { name, value } of instruction.args) {
      const given = own(inputs.buildArgs, name);
      if (given !== undefined) values.set(name, given);
      else if (value !== undefined) values.set(name, expandWord(value, { escape, lookup, line: instruction.line }));
    }
  }
  return values;
}

/** A value of a record whose keys came from outside. */
export const own = <Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

function stageOf(
  from: FromInstruction & { readonly line: number; readonly text: string },
  before: readonly Stage[],
  { lookup, escape }: { readonly lookup: Lookup; readonly escape: string },
): Stage {
  const { line, text, name } = from;
  const expand = (word: string): string => expandWord(word, { escape, lookup, line });
  const image = expand(from.image);
  if (image === "")
    throw lineFault(line, `FROM ${shown(from.image)} names no image: give the ARG before FROM a value, or --build-arg`);
  if (name !== undefined && before.some((stage) => stage.name === name))
    throw lineFault(line, `there is a stage ${name} already`);
  const platform = from.platform === undefined ? "" : expand(from.platform);
  return {
    index: before.length,
    line,
    text,
    base: baseOf(image, before),
    instructions: [],
    ...(name === undefined ? {} : { name }),
    ...(platform === "" ? {} : { platform }),
  };
}

/** A name of an earlier stage goes before that of an image. */
function baseOf(image: string, before: readonly Stage[]): StageBase {
  if (image === "scratch") return { kind: "scratch" };
  const stage = before.find(({ name }) => name === image.toLowerCase());
  return stage === undefined ? { kind: "image", reference: image } : { kind: "stage", index: stage.index };
}

/** What `COPY --from` names, seen from a stage. @throws DockerfileFault DOCKERFILE_INVALID */
export function copySource(
  from: string,
  stages: readonly Pick<Stage, "index" | "name">[],
  at: { readonly index: number; readonly line: number },
): StageBase {
  const named = stages.find(({ name, index }) => name === from.toLowerCase() && index < at.index);
  if (named !== undefined) return { kind: "stage", index: named.index };
  if (/^\d{1,9}$/.test(from)) {
    if (Number(from) >= at.index) throw lineFault(at.line, `--from=${from}: there is no stage ${from} above this one`);
    return { kind: "stage", index: Number(from) };
  }
  if (from === "scratch") return { kind: "scratch" };
  return { kind: "image", reference: from };
}

function targetOf(stages: readonly Stage[], target: string | undefined): Stage {
  const last = stages.at(-1);
  if (last === undefined) throw lineFault(1, "there is no stage");
  if (target === undefined) return last;
  const found =
    stages.find(({ name }) => name === target.toLowerCase()) ??
    (/^\d{1,9}$/.test(target) ? stages[Number(target)] : undefined);
  if (found !== undefined) return found;
  const names = stages.flatMap(({ name }) => name ?? []);
  const known = names.length === 0 ? "none of them has a name" : `there are ${names.join(", ")}`;
  throw lineFault(1, `the target ${shown(target)} is no stage; ${known}`);
}

/** The target, what it is built upon and takes files from, and so on. */
function neededFor(target: Stage, stages: readonly Stage[]): readonly Stage[] {
  const needed = new Set<number>();
  const open = [target.index];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const stage = stages[index];
    if (needed.has(index) || stage === undefined) continue;
    needed.add(index);
    if (stage.base.kind === "stage") open.push(stage.base.index);
    for (const instruction of stage.instructions) {
      if (instruction.kind !== "copy" || instruction.from === undefined) continue;
      const source = copySource(instruction.from, stages, { index, line: instruction.line });
      if (source.kind === "stage") open.push(source.index);
    }
  }
  return stages.filter(({ index }) => needed.has(index));
}

/** Names of declared arguments, for a word about those that nobody declared. */
export const declaredArgs = (file: Dockerfile): ReadonlySet<string> =>
  new Set(
    file.instructions
      .filter((instruction): instruction is Instruction & ArgInstruction => instruction.kind === "arg")
      .flatMap(({ args }) => args.map(({ name }) => name)),
  );
