import { open } from "node:fs/promises";
import type { Clock } from "@shallop/sdk/internal";
import { ImportsUnmetFault, PodFault } from "../pod/pod-runtime.ts";
import { type ComponentPlan, planFormat, sha256 } from "./component-plan.ts";
import type { JailResult } from "./jail.ts";
import { type JailAnswer, parseJailOutput } from "./jail-protocol.ts";
import type { Jails } from "./jails.ts";
import type { PreparedComponent, PreparedStore } from "./prepared-store.ts";
import { purposesOf, type WantedPurpose } from "./requirements.ts";
import { engineIdentity } from "./v8-flags.ts";

/** What preparing one component may use. */
export interface PrepareLimits {
  /** Bytes of the component. */
  readonly componentBytesMax: number;
  /** Memory of the jail in all. */
  readonly residentBytesMax: number;
  /** What it is prepared to, in bytes. */
  readonly filesBytesMax: number;
  /** Wall clock. */
  readonly timeoutMs: number;
}

export const prepareLimits: PrepareLimits = {
  // The largest known engine in a component (StarlingMonkey) has 13 MB.
  componentBytesMax: 64 * 1024 * 1024,
  residentBytesMax: 2 * 1024 * 1024 * 1024,
  // The largest known component makes 20 MB.
  filesBytesMax: 256 * 1024 * 1024,
  // Takes 1 to 2 s on a slow core; hostile components make it quadratic.
  timeoutMs: 30_000,
};

export interface PrepareRequest {
  readonly componentPath: string;
  /** Names the component in messages and in the plan: `sha256:…`. */
  readonly componentDigest: string;
  /** Where it is kept. */
  readonly store: PreparedStore;
  /** What it is wanted for; a pod's serve. */
  readonly purpose?: WantedPurpose;
  /** Where it is prepared, when it has to be. */
  readonly jails: Jails;
}

/**
 * Makes a component ready to start: what it needs is checked, its link plan and core modules are in the store. What is there
 * already is used; a broken entry is made again. An entry appears whole or not at all.
 * @throws PodFault IMAGE_INVALID, ImportsUnmetFault; ImageFault STORE_FAILED
 */
export async function prepare(
  request: PrepareRequest,
  limits: PrepareLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<PreparedComponent> {
  const { store, componentDigest } = request;
  for (const purpose of purposesOf(purposeOf(request))) {
    const ready = await store.find({ componentDigest, purpose });
    if (ready?.plan.engine === engineIdentity) return ready;
  }
  const { line, files } = await runInJail(request, limits, clock, signal);
  const parsed = parseJailOutput(line, files);
  if (parsed === undefined) throw invalid(request, "its preparation gave no usable result");
  const { answer, contents } = parsed;
  if (answer.outcome === "invalid") throw invalid(request, answer.message);
  if (answer.outcome === "unmet") throw unmetFault(request, answer.unmet);
  return store.keep(planOf(request, answer, contents), contents);
}

async function runInJail(
  request: PrepareRequest,
  limits: PrepareLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<Extract<JailResult, { ended: "ok" }>> {
  await using component = await open(request.componentPath);
  const { size } = await component.stat();
  if (size > limits.componentBytesMax) {
    throw invalid(request, `it has ${size} bytes, and ${limits.componentBytesMax} is the most`);
  }
  signal.throwIfAborted();
  const jail = await request.jails.take();
  const result = await jail.run(component, { ...limits, clock, purpose: purposeOf(request) }, signal);
  if (result.ended === "ok") return result;
  throw invalid(request, result.reason);
}

function planOf(
  request: PrepareRequest,
  answer: Extract<JailAnswer, { outcome: "prepared" }>,
  contents: ReadonlyMap<string, Buffer>,
): ComponentPlan {
  const listed = [...contents].map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) }));
  const modules = listed.filter(({ name }) => name.endsWith(".wasm"));
  return {
    format: planFormat,
    engine: engineIdentity,
    form: answer.form,
    componentDigest: request.componentDigest,
    componentBytes: modules.reduce((sum, { bytes }) => sum + bytes, 0),
    wasiVersion: answer.wasiVersion,
    purpose: answer.purpose,
    entry: answer.entry,
    imports: answer.imports,
    exports: answer.exports,
    modules,
    files: listed.filter(({ name }) => !name.endsWith(".wasm")),
  };
}

const purposeOf = ({ purpose }: Pick<PrepareRequest, "purpose">): WantedPurpose => purpose ?? "serve";

// Each is a line of a hostile component's choice; somebody has to read them.
const unmetShownMax = 100;

function unmetFault({ componentDigest }: PrepareRequest, imports: readonly string[]): ImportsUnmetFault {
  const more = imports.length > unmetShownMax ? ` and ${imports.length - unmetShownMax} more` : "";
  const listed = `${imports.slice(0, unmetShownMax).join(", ")}${more}`;
  const message = `component ${componentDigest} imports what this node does not provide: ${listed}; this node provides WASI 0.2 and 0.3`;
  return new ImportsUnmetFault(message, imports);
}

const invalid = (request: PrepareRequest, problem: string): PodFault =>
  new PodFault("IMAGE_INVALID", `component ${request.componentDigest} cannot be prepared: ${problem}`);
