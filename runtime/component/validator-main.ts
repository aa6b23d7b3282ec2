// A thread of the jail: holds one component against the rules of the Component Model. Until it comes, it practises.
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "@shallop/sdk/internal";
import { BinaryError } from "./leb128.ts";
import { practiceComponent, practiceRounds } from "./practice-component.ts";
import { validateComponent } from "./validate-component.ts";
import type { Verdict } from "./validator.ts";

async function verdictOn(component: Uint8Array): Promise<Verdict> {
  try {
    await validateComponent(component);
    return {};
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
    return { invalid: { problem: error.problem, offset: error.offset } };
  }
}

assert(parentPort !== null, "the jail has started this thread");
const port = parentPort;
const { promise: next, resolve } = Promise.withResolvers<Uint8Array>();
const come = (): Uint8Array | undefined => receiveMessageOnPort(port)?.message;
let component = come();
for (let round = 0; component === undefined && round < practiceRounds; round++) {
  await validateComponent(practiceComponent());
  component = come();
}
if (component === undefined) port.once("message", resolve);
else resolve(component);
port.postMessage(await verdictOn(await next));
