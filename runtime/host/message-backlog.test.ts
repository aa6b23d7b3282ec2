import { describe, expect, test } from "vitest";
import type { HostMessage } from "./control-protocol.ts";
import { MessageBacklog } from "./message-backlog.ts";

const logged = (uid: string, text: string): HostMessage => ({
  type: "logged",
  uid,
  lines: [{ wallMs: 7, stream: "stdout", text, partial: false }],
});
const exited: HostMessage = { type: "exited", uid: "a", exit: { exitCode: 1, reason: "Error", message: "m" } };

describe("MessageBacklog", () => {
  test("gives everything back in order, once", () => {
    const backlog = new MessageBacklog();
    const messages = [logged("a", "1"), exited, logged("b", "2")];
    for (const message of messages) backlog.add(message);
    expect(backlog.take()).toEqual(messages);
    expect(backlog.take()).toEqual([]);
  });

  test("drops the oldest lines, says how many, and keeps what is no line", () => {
    const backlog = new MessageBacklog();
    backlog.add(exited);
    for (let count = 0; count < 2100; count++) backlog.add(logged("a", `line ${count}`));
    const taken = backlog.take();
    expect(taken[0]).toMatchObject({ uid: "a", lines: [{ text: expect.stringContaining("101 lines lost here") }] });
    expect(taken[1]).toEqual(exited);
    expect(taken[2]).toMatchObject({ lines: [{ text: "line 101" }] });
    expect(taken.at(-1)).toMatchObject({ lines: [{ text: "line 2099" }] });
  });

  test("is bounded by size too", () => {
    const backlog = new MessageBacklog();
    for (let count = 0; count < 100; count++) backlog.add(logged("a", "x".repeat(60_000)));
    const chars = backlog.take().reduce((sum, message) => sum + JSON.stringify(message).length, 0);
    expect(chars).toBeLessThan(2_200_000);
  });
});
