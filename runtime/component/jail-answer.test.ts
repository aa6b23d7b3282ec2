import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { collectAnswer, type JailEnd } from "./jail-answer.ts";

class FakeJail extends EventEmitter {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
}

function collected(): { readonly jail: FakeJail; readonly end: Promise<JailEnd> } {
  const jail = new FakeJail();
  // A stand-in: of a process only these are used.
  const child = jail as unknown as Parameters<typeof collectAnswer>[0];
  return { jail, end: collectAnswer(child, (reason) => jail.emit("close", null, reason)) };
}

const answer = {
  ...{ outcome: "prepared", wasiVersion: "0.2.0", form: "linked", purpose: "serve", entry: "e" },
  ...{ imports: [], exports: [], files: [{ name: "a.wasm", bytes: 4 }] },
};
const line = `${JSON.stringify(answer)}\n`;

test("a whole answer is taken from a process that has not ended, in whatever pieces it comes", async () => {
  const { jail, end } = collected();
  for (const piece of [line.slice(0, 9), line.slice(9), "ab", "cd"]) jail.stdout.write(piece);
  expect(await end).toMatchObject({ output: Buffer.from(`${line}abcd`), code: 0 });
});

test("an answer that is cut short is what there was when the process ended, with its last words", async () => {
  const { jail, end } = collected();
  jail.stdout.write(`${line}abc`);
  jail.stderr.write("RangeError: too much");
  await new Promise(setImmediate);
  jail.emit("close", null, "SIGKILL");
  expect(await end).toEqual({ output: Buffer.from(`${line}abc`), stderr: "RangeError: too much", code: "SIGKILL" });
});

test("what is no answer is not waited for longer than its process lives", async () => {
  const { jail, end } = collected();
  jail.stdout.write("no answer\n");
  await new Promise(setImmediate);
  jail.emit("close", 1, null);
  expect(await end).toMatchObject({ code: 1 });
});
