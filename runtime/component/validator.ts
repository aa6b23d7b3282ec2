import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { BinaryError } from "./leb128.ts";

/** What the thread says of a component: nothing, or what is wrong with it. */
export interface Verdict {
  readonly invalid?: { readonly problem: string; readonly offset: number };
}

const program = fileURLToPath(new URL("validator-main.ts", import.meta.url));

/**
 * A thread that holds one component against the rules of the Component Model, while this one does the rest. It has loaded the
 * validator, and practises, until the component comes.
 */
export class Validator {
  readonly #thread = new Worker(program, { stdin: false });
  readonly #verdict = Promise.withResolvers<Verdict>();

  constructor() {
    this.#thread.once("message", this.#verdict.resolve);
    this.#thread.once("error", this.#verdict.reject);
    this.#thread.once("exit", () => this.#verdict.reject(new Error("the validator has ended")));
    this.#verdict.promise.catch(() => undefined);
  }

  /** As `validateComponent`, without the component's world. Once. */
  async validate(component: Uint8Array): Promise<undefined> {
    this.#thread.postMessage(component, []);
    const { invalid } = await this.#verdict.promise;
    if (invalid !== undefined) throw new BinaryError(invalid.problem, invalid.offset);
  }
}
