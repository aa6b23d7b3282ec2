import type { BuiltComponent } from "../component.ts";
import { type EngineName, engineNames } from "./engine.ts";
import { measureStart } from "./measure-start.ts";

/** An engine by name, or the one that measuring finds best. */
export type EngineChoice = EngineName | "auto";

export interface EngineMeasure {
  readonly engine: EngineName;
  readonly sizeBytes: number;
  /** From compiled modules to an instance that can be called; see `measureStart`. */
  readonly startMs: number;
}

interface Candidate {
  readonly component: BuiltComponent;
  readonly measure: EngineMeasure;
}

/**
 * Builds with the engine that was chosen, or with all of them, and measures each.
 * @param step told in words for people why an engine was passed over
 * @throws what `build` throws, when no engine can run the function
 */
export async function measuredComponent(
  choice: EngineChoice,
  build: (engine: EngineName) => Promise<BuiltComponent>,
  step: (step: string) => void,
): Promise<{ readonly component: BuiltComponent; readonly engines: readonly EngineMeasure[] }> {
  const candidates: Candidate[] = [];
  const failures: unknown[] = [];
  for (const engine of choice === "auto" ? engineNames : [choice]) {
    try {
      const component = await build(engine);
      step(`measuring the start with ${engine}`);
      const startMs = await measureStart(component.bytes);
      candidates.push({ component, measure: { engine, sizeBytes: component.bytes.length, startMs } });
    } catch (error) {
      failures.push(error);
      if (choice === "auto") step(`${engine} cannot: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  candidates.sort((a, b) => byStart(a.measure, b.measure));
  const [best] = candidates;
  // oxlint-disable-next-line typescript/only-throw-error -- it was caught above, and is thrown on as it was
  if (best === undefined) throw failures[0];
  return { component: best.component, engines: candidates.map(({ measure }) => measure) };
}

/** A fresh instance is made for every request, so its start counts; where it is the same, fewer bytes win. */
export function byStart(a: EngineMeasure, b: EngineMeasure): number {
  return a.startMs - b.startMs || a.sizeBytes - b.sizeBytes;
}
