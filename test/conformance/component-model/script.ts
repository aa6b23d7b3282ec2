import { setImmediate } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco";
import { describeError } from "@shallop/sdk/internal";
import { examineComponent } from "../../../runtime/component/examine-component.ts";
import type { LiveInstance } from "../../../runtime/component/instance/live-instance.ts";
import { GuestFault } from "../../../runtime/component/guest-fault.ts";
import { guestOf, type Guest } from "../../../runtime/component/testing/guest.ts";
import { isFor } from "./trap-reasons.ts";
import { type Form, readForms } from "./wast-text.ts";
import { comparable, formOf, textOf, valueOf } from "./wast-values.ts";

/** What a line of a script says, and what came of it. */
export interface Outcome {
  readonly line: number;
  readonly command: string;
  /** Undefined when it is as the script says. */
  readonly problem: string | undefined;
}

/** Runs a script of the reference tests on our linker and engine. */
export async function runScript(text: string): Promise<readonly Outcome[]> {
  const script = new Script();
  const outcomes: Outcome[] = [];
  for (const form of readForms(text)) {
    const command = textOf(form.items[0]);
    let problem: string | undefined;
    try {
      problem = await script.run(command, form);
    } catch (error) {
      problem = describeError(error);
    }
    outcomes.push({ line: form.line, command, problem });
  }
  return outcomes;
}

class Script {
  readonly #definitions = new Map<string, Uint8Array>();
  readonly #instances = new Map<string, Guest>();
  #current: Guest | undefined;

  /** @returns what is not as the script says */
  async run(command: string, form: Form): Promise<string | undefined> {
    switch (command) {
      case "component":
        await this.#component(form);
        return undefined;
      case "invoke":
        await this.#invoke(form);
        return undefined;
      case "assert_return": {
        const [invoke, expected] = form.items.slice(1).map(formOf);
        const returned = comparable(await this.#invoke(formOf(invoke)));
        const wanted = expected === undefined ? undefined : comparable(valueOf(expected));
        return same(returned, wanted) ? undefined : `returned ${show(returned)} and not ${show(wanted)}`;
      }
      case "assert_trap":
        return this.#assertTrap(formOf(form.items[1]), textOf(form.items[2]));
      case "assert_invalid":
      case "assert_malformed":
        return assertRefused(formOf(form.items[1]));
      default:
        throw new SyntaxError(`a script has no ${command}`);
    }
  }

  async #component(form: Form): Promise<void> {
    const [, first] = form.items;
    const kind = typeof first === "string" ? first : "";
    if (kind === "instance") return this.#instantiate(textOf(form.items[2]), textOf(form.items[3]));
    const isDefinition = kind === "definition";
    const id = form.items[isDefinition ? 2 : 1];
    const bytes = await bytesOf(form);
    await assertValid(bytes);
    if (typeof id === "string" && id.startsWith("$")) this.#definitions.set(id, bytes);
    if (!isDefinition) this.#current = guestOf(bytes);
  }

  async #instantiate(id: string, definition: string): Promise<void> {
    const bytes = this.#definitions.get(definition);
    if (bytes === undefined) throw new SyntaxError(`nothing is called ${definition}`);
    this.#current = guestOf(bytes);
    this.#instances.set(id, this.#current);
  }

  async #invoke(form: Form): Promise<unknown> {
    const [, first, ...rest] = form.items;
    const named = typeof first === "string" ? this.#instances.get(first) : this.#current;
    const [name, ...args] = typeof first === "string" ? rest : form.items.slice(1);
    if (named === undefined) throw new SyntaxError("there is no instance to call");
    const call = named.start(textOf(name), ...args.map((item) => valueOf(formOf(item))));
    // What ends the guest after it has answered is told to the next who calls it.
    call.ended.catch(() => undefined);
    return answerOf(named.live, call.returned);
  }

  async #assertTrap(form: Form, reason: string): Promise<string | undefined> {
    try {
      await (form.items[0] === "component" ? this.#component(form) : this.#invoke(form));
    } catch (error) {
      const message = describeError(error);
      if (!(error instanceof GuestFault)) return message;
      return isFor(message, reason) ? undefined : `trapped with "${message}" and not "${reason}"`;
    }
    return `no trap, where "${reason}" was due`;
  }
}

/** Waits for a guest that no host can wake: where it has not answered, it is asked whether it still can. */
async function answerOf(live: LiveInstance, returned: Promise<unknown>): Promise<unknown> {
  let isOver = false;
  const over = (): void => void (isOver = true);
  returned.then(over, over);
  for (;;) {
    await setImmediate();
    if (isOver) return returned;
    live.isAlone = true;
    live.guest.post(() => undefined);
    live.isAlone = false;
  }
}

/** The component of a form: as text, as text in strings (`quote`), or as bytes (`binary`). */
async function bytesOf(form: Form): Promise<Uint8Array> {
  const strings = form.items.filter((item) => Buffer.isBuffer(item));
  if (form.items.includes("binary")) return Buffer.concat(strings);
  if (form.items.includes("quote")) return parse(Buffer.concat(strings).toString());
  return parse(form.text.replace(/^\(component\s+definition\b/, "(component"));
}

async function assertValid(bytes: Uint8Array): Promise<void> {
  const { found } = await examineComponent(bytes);
  if (!found.isValid) throw new Error(found.reason);
}

async function assertRefused(form: Form): Promise<string | undefined> {
  try {
    await assertValid(await bytesOf(form));
  } catch {
    return undefined;
  }
  return `was taken for valid`;
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? `${member}n` : member)) ?? "nothing";

const same = (a: unknown, b: unknown): boolean => show(a) === show(b);
