import type { Engine, EngineArtifact } from "./engine.ts";
import { jcoEngine } from "./jco-engine.ts";
import { linkedEngine } from "./linked-engine.ts";

/** Runs what `prepare` has made: by our own linker, or through jco's bindings where a component holds what it cannot link. */
export const componentEngine: Engine<EngineArtifact> = {
  load: (artifact) => (artifact.form === "linked" ? linkedEngine.load(artifact) : jcoEngine.load(artifact)),
};
