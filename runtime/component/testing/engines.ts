import { exposeState } from "../core-module/expose-state.ts";
import type { GuestRequest, GuestResponse, LoadedComponent } from "../engine.ts";
import { jcoEngine } from "../jco-engine.ts";
import { linkedEngine } from "../linked-engine.ts";
import { planLinks } from "../link/plan-links.ts";
import { transpileApart } from "./transpile-apart.ts";
import { ByteQueue } from "../wasi/byte-queue.ts";
import type { GuestSettings } from "../wasi/guest-context.ts";

/** A component under each engine. */
export async function bothEngines(
  component: Uint8Array,
): Promise<{ readonly jco: LoadedComponent; readonly linked: LoadedComponent }> {
  const { plan, modules } = planLinks(component);
  const exposed = modules.map(exposeState);
  const linked = linkedEngine.load({
    form: "linked",
    links: { plan, states: exposed.map(({ state }) => state) },
    modules: exposed.map(({ bytes }) => new WebAssembly.Module(bytes)),
  });
  const transpiled = await transpileApart(component);
  const compiled = [...transpiled.modules].map(([name, bytes]) => [name, new WebAssembly.Module(bytes)] as const);
  const { glue } = transpiled;
  const jco = jcoEngine.load({ form: "bindings", glue, glueCache: undefined, modules: new Map(compiled) });
  return { jco, linked };
}

export interface Question {
  readonly method?: string;
  readonly target: string;
  readonly headers?: readonly string[];
  /** Parts of the body, each of which comes when the guest has had time to ask for it. */
  readonly body?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly outcome: string;
}

/** One request with a fresh instance. */
export async function ask(component: LoadedComponent, settings: GuestSettings, question: Question): Promise<Answer> {
  const instance = await component.instantiate(settings);
  const { method = "GET", target, headers = [], body = [] } = question;
  const queue = new ByteQueue();
  const request: GuestRequest = { method, target, scheme: "http", authority: "test.local", headers, body: queue };
  const answer = { status: 0, headers: [] as readonly string[], body: "", outcome: "nothing" };
  const response: GuestResponse = {
    respond: (status, answered) => Object.assign(answer, { status, headers: answered }),
    body: {
      ready: () => true,
      capacity: () => 65_536,
      write: (bytes) => void (answer.body += Buffer.from(bytes).toString("latin1")),
      flushed: () => true,
      failure: () => undefined,
      subscribe: () => () => undefined,
    },
    finish: () => (answer.outcome = "finished"),
    fail: (message) => (answer.outcome = `failed: ${message}`),
  };
  const handled = instance.handle(request, response).catch((error: unknown) => {
    answer.outcome = `faulted: ${(error as { readonly code?: string }).code}`;
  });
  for (const part of body) {
    await new Promise(setImmediate);
    queue.push(Buffer.from(part));
  }
  queue.end();
  await handled;
  instance.dispose();
  return answer;
}
