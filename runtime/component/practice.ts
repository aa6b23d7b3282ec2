import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { examineComponent } from "./examine-component.ts";
import { exposeState } from "./core-module/expose-state.ts";
import { practiceComponent, practiceRounds } from "./practice-component.ts";

/** A core module as large as those that toolchains make: the validator's own. */
const largeModule = (): Uint8Array =>
  readFileSync(
    new URL("../vendor/wasm-tools.core.wasm", import.meta.resolve("@bytecodealliance/jco-transpile/wasm-tools")),
  );

/**
 * Examines what is ours until `hasCome` says that there is something to examine: V8 compiles code when it is used, and whoever waits for a
 * component has the time for it. Without the validator, which practises in its own thread.
 */
export async function practise(hasCome: () => boolean): Promise<void> {
  const component = practiceComponent();
  const steps = [
    ...Array.from({ length: practiceRounds }, () => () => examineComponent(component, async () => undefined)),
    () => WebAssembly.validate(exposeState(largeModule()).bytes),
  ];
  for (const step of steps) {
    // Lets input come.
    await setImmediate();
    if (hasCome()) return;
    await step();
  }
}
