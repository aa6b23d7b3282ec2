import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { collectAnswer, type JailEnd } from "./jail-answer.ts";
import { lineBytesMax } from "./jail-protocol.ts";

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

test("a whole line is taken from a process that has not ended, in whatever pieces it comes", async () => {
  const { jail, end } = collected();
  for (const piece of ["an ans", "wer\n"]) jail.stdout.write(piece);
  expect(await end).toMatchObject({ line: Buffer.from("an answer\n"), code: 0 });
});

test("a line that is cut short is what there was when the process ended, with its last words", async () => {
  const { jail, end } = collected();
  jail.stdout.write("an ans");
  jail.stderr.write("RangeError: too much");
  await new Promise(setImmediate);
  jail.emit("close", null, "SIGKILL");
  expect(await end).toEqual({ line: Buffer.from("an ans"), stderr: "RangeError: too much", code: "SIGKILL" });
});

test("a line that does not end ends the process", async () => {
  const { jail, end } = collected();
  jail.stdout.write(Buffer.alloc(lineBytesMax + 1, "x"));
  expect((await end).code).toMatch("more than");
});
