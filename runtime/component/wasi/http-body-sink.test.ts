import { describe, expect, test } from "vitest";
import type { ByteSink } from "./byte-sink.ts";
import { BodySink } from "./http-body-sink.ts";

class Target {
  readonly written: string[] = [];
  outcome = "open";
  readonly body: ByteSink = {
    capacity: () => 8,
    write: (bytes) => this.written.push(Buffer.from(bytes).toString()),
    flushed: () => true,
    failure: () => undefined,
    ready: () => true,
    subscribe: () => () => undefined,
  };
  finish(): void {
    this.outcome = "finished";
  }
  fail(message: string): void {
    this.outcome = message;
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const plain = { contentLength: undefined, discard: false };

describe("an outgoing body", () => {
  test("keeps a little that is written before the message is sent", () => {
    const body = new BodySink(4);
    const target = new Target();
    body.write(bytes("ab"));
    expect(body.capacity()).toBe(2);
    body.attach(target, plain);
    body.write(bytes("cd"));
    expect(body.finish()).toBe(true);
    expect([target.written, target.outcome]).toEqual([["ab", "cd"], "finished"]);
  });

  test("may be finished before the message is sent", () => {
    const body = new BodySink(4);
    const target = new Target();
    body.write(bytes("ab"));
    body.finish();
    body.attach(target, { contentLength: 2, discard: false });
    expect([target.written, target.outcome]).toEqual([["ab"], "finished"]);
  });

  test.each([
    { what: "shorter", announced: 5, written: "abc" },
    { what: "longer", announced: 2, written: "abc" },
  ])("that is $what than announced fails", ({ announced, written }) => {
    const before = new BodySink(8);
    const after = new BodySink(8);
    const targets = [new Target(), new Target()] as const;
    before.write(bytes(written));
    before.finish();
    before.attach(targets[0], { contentLength: announced, discard: false });
    after.attach(targets[1], { contentLength: announced, discard: false });
    after.write(bytes(written));
    expect(after.finish()).toBe(false);
    for (const { outcome } of targets) expect(outcome).toMatch(/announced/);
  });

  test("of a message that has none is thrown away", () => {
    const body = new BodySink(4);
    const target = new Target();
    body.attach(target, { contentLength: 3, discard: true });
    body.write(bytes("a"));
    body.finish();
    expect([target.written, target.outcome]).toEqual([[], "finished"]);
  });

  test("that is dropped fails, once", () => {
    const body = new BodySink(4);
    const target = new Target();
    body.attach(target, plain);
    body.fail("dropped");
    body.fail("again");
    expect(target.outcome).toBe("dropped");
    expect(body.failure()).toEqual({ kind: "broken", message: "dropped" });
  });
});
