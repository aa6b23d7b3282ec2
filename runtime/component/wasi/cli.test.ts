import { describe, expect, test } from "vitest";
import { GuestExit, GuestFault } from "../guest-fault.ts";
import { ByteQueue } from "./byte-queue.ts";
import { cliEnvironment } from "./cli-environment.ts";
import { cliExit } from "./cli-exit.ts";
import { cliStdin } from "./cli-stdio.ts";
import { terminalStderr, terminalStdin, terminalStdout } from "./cli-terminal.ts";
import { testContext } from "./context.fixture.ts";
import type { InputStream } from "./input-stream.ts";
import { timezone } from "./timezone.ts";

type Functions = Readonly<Record<string, (...values: unknown[]) => unknown>>;

test("arguments, directory and environment are the launch's", () => {
  const { context } = testContext({}, { arguments: ["program", "-v"], initialCwd: "/data" });
  const { getArguments, getEnvironment, initialCwd } = cliEnvironment({ context }) as Functions;
  expect(getArguments?.()).toEqual(["program", "-v"]);
  expect(getEnvironment?.()).toEqual([["A", "1"]]);
  expect(initialCwd?.()).toBe("/data");
  const plain = cliEnvironment(testContext()) as Functions;
  expect([plain["getArguments"]?.(), plain["initialCwd"]?.()]).toEqual([[], undefined]);
});

describe("exit", () => {
  test.each([
    { name: "exit", status: { tag: "ok", val: undefined }, exitCode: 0 },
    { name: "exit", status: { tag: "err", val: undefined }, exitCode: 1 },
    { name: "exitWithCode", status: 0, exitCode: 0 },
    { name: "exitWithCode", status: 255, exitCode: 255 },
  ])("$name: $exitCode", ({ name, status, exitCode }) => {
    const functions = cliExit(testContext()) as Functions;
    let thrown: unknown;
    try {
      functions[name]?.(status);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GuestExit);
    // Who serves requests treats it as any other failure of a guest.
    expect(thrown).toBeInstanceOf(GuestFault);
    expect(thrown).toMatchObject({ code: "GUEST_FAILED", exitCode });
  });
});

describe("stdin", () => {
  const getStdin = (stdin?: ByteQueue): (() => InputStream) =>
    (cliStdin(testContext({}, { stdin })) as { getStdin: () => InputStream }).getStdin;

  test("is at its end unless there is one", () => {
    expect(getStdin()().read(1n)).toEqual({ tag: "err", val: { tag: "closed" } });
  });

  test("is one, however many streams read it", async () => {
    const queue = new ByteQueue();
    const open = getStdin(queue);
    const [one, two] = [open(), open()];
    const waiting = one.blockingRead(2n);
    queue.push(Uint8Array.of(1, 2, 3));
    expect(await waiting).toEqual({ tag: "ok", val: Uint8Array.of(1, 2) });
    one[Symbol.dispose]();
    expect(two.read(9n)).toEqual({ tag: "ok", val: Uint8Array.of(3) });
  });
});

test("a terminal is what the launch says", () => {
  const opened = (terminals: readonly ("stdin" | "stdout" | "stderr")[]): boolean[] => {
    const { context } = testContext({}, { terminals });
    const functions = {
      ...terminalStdin({ context }),
      ...terminalStdout({ context }),
      ...terminalStderr({ context }),
    } as Functions;
    return ["getTerminalStdin", "getTerminalStdout", "getTerminalStderr"].map(
      (name) => functions[name]?.() !== undefined,
    );
  };
  expect(opened([])).toEqual([false, false, false]);
  expect(opened(["stdin", "stderr"])).toEqual([true, false, true]);
});

test("it is always UTC", () => {
  const { display, utcOffset } = timezone(testContext()) as Functions;
  const when = { seconds: 0n, nanoseconds: 0 };
  expect(display?.(when)).toEqual({ utcOffset: 0, name: "UTC", inDaylightSavingTime: false });
  expect(utcOffset?.(when)).toBe(0);
});
