import { systemClock } from "@shallop/sdk/internal";
import { beforeAll, describe, expect, test } from "vitest";
import { examineComponent } from "../examine-component.ts";
import type { LoadedComponent } from "../engine.ts";
import { linkedEngine } from "../linked-engine.ts";
import { composed } from "../testing/composed.ts";
import { ask, type Answer } from "../testing/engines.ts";
import { quickJsComponent } from "../testing/quickjs-component.ts";
import { testContext } from "../wasi/context.fixture.ts";

// Two components with all of QuickJS and WASI in each, built apart and composed: one serves requests, and calls the other. What
// is between them are plain values, a stream of WASI, a resource of the second, and a call that waits.

const wit = `package test:shop;

interface greeter {
  use wasi:io/streams@0.2.3.{output-stream};
  greet: func(name: string) -> string;
  write: func(out: output-stream, text: string);
  nap: func(milliseconds: u32);
  resource counter { constructor(first: u32); next: func() -> u32; }
}

world front {
  include wasi:http/proxy@0.2.3;
  import greeter;
}

world back {
  include wasi:http/imports@0.2.3;
  export greeter;
}
`;

const back = `
import { subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.3";
class Counter {
  constructor(first) { this.count = first; }
  next() { return this.count++; }
}
export const greeter = {
  Counter,
  greet: (name) => "hello, " + name,
  write(out, text) {
    out.blockingWriteAndFlush(Uint8Array.from(text, (c) => c.charCodeAt(0)));
    out[Symbol.dispose]();
  },
  nap(milliseconds) { subscribeDuration(milliseconds * 1e6).block(); },
};`;

const front = `
import { Fields, OutgoingResponse, OutgoingBody, ResponseOutparam } from "wasi:http/types@0.2.3";
import { greet, write, nap, Counter } from "test:shop/greeter";
export const incomingHandler = {
  handle(request, outparam) {
    const name = (request.pathWithQuery() ?? "/").slice(1);
    if (name.startsWith("nap")) nap(30);
    if (name === "trap") nap(-1n);
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(outparam, { tag: "ok", val: response });
    const counter = new Counter(7);
    write(body.write(), greet(name) + " " + counter.next() + " " + counter.next());
    OutgoingBody.finish(body, undefined);
  },
};`;

let component: LoadedComponent;
beforeAll(async () => {
  const [first, second] = await Promise.all([
    quickJsComponent({ wit, world: "front", source: front }),
    quickJsComponent({ wit, world: "back", source: back }),
  ]);
  const bytes = composed({
    front: first,
    back: second,
    between: "test:shop/greeter",
    exported: "wasi:http/incoming-handler@0.2.3",
  });
  const { unmet, found } = await examineComponent(bytes);
  expect(unmet).toEqual([]);
  if (!found.isValid) throw new Error(found.reason);
  component = linkedEngine.load({
    form: "linked",
    links: { plan: found.plan, states: found.modules.map(({ state }) => state) },
    modules: found.modules.map((module) => new WebAssembly.Module(module.bytes)),
  });
});

const answerTo = (target: string): Promise<Answer> =>
  ask(component, { ...testContext().context.settings, clock: systemClock }, { target });

describe("two components composed", () => {
  test.each(["/Ada", "/nap", "/", "/Ada", "/nap-2"])("answer %s", async (target) => {
    const { status, body, outcome } = await answerTo(target);
    expect({ status, body, outcome }).toEqual({
      status: 200,
      body: `hello, ${target.slice(1)} 7 8`,
      outcome: "finished",
    });
  });

  test("answer several at once, some of which wait in the second", async () => {
    const targets = Array.from({ length: 8 }, (_, index) => `/${index % 2 === 0 ? "nap" : "n"}${index}`);
    const answers = await Promise.all(targets.map(answerTo));
    expect(answers.map(({ body }) => body)).toEqual(targets.map((target) => `hello, ${target.slice(1)} 7 8`));
  });

  test("a trap in the one ends both, and the next request has others", async () => {
    expect((await answerTo("/trap")).outcome).toMatch(/faulted/);
    expect((await answerTo("/Ada")).body).toBe("hello, Ada 7 8");
  });
});
