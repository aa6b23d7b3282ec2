import type { Log } from "@shallop/sdk/internal";
import type { Remains, Start, StartHook, StartTools } from "./start.ts";

/** The steps of a start, in their order, and backwards. */
export class StartSteps {
  readonly #hooks: readonly StartHook[];
  readonly #tools: StartTools;
  readonly #log: Log;

  constructor(hooks: readonly StartHook[], tools: StartTools, log: Log) {
    this.#hooks = hooks;
    this.#tools = tools;
    this.#log = log;
  }

  async run(start: Start, signal: AbortSignal): Promise<void> {
    for (const hook of this.#hooks) {
      await hook.run(start, this.#tools);
      signal.throwIfAborted();
    }
  }

  /**
   * Undoes all steps of a start, the last one first. Each is tried whatever became of the others, but for the pod's
   * directory: it stays when something else did, so that the next `adopt` or start of the pod tries again.
   */
  async undo(remains: Remains): Promise<void> {
    const errors: unknown[] = [];
    for (const hook of this.#hooks.toReversed()) {
      if (errors.length > 0 && hook === this.#hooks[0]) break;
      try {
        await hook.undo(remains, this.#tools);
      } catch (error) {
        const { key } = remains.names;
        this.#log.error(`cannot undo the step ${hook.name} of a native pod`, error, { key });
        errors.push(error);
      }
    }
    if (errors.length === 0) return;
    throw new AggregateError(errors, `native pod ${remains.names.key}: not all of it could be removed`);
  }

  /** As undo, for where something matters more than what is left; that has been logged. */
  async undoOrLater(remains: Remains): Promise<void> {
    await this.undo(remains).catch(() => undefined);
  }
}
