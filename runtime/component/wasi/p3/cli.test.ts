import { expect, test } from "vitest";
import { cancelOf, type FutureReader, type StreamReader } from "../../abi/stream.ts";
import { ByteQueue } from "../byte-queue.ts";
import { testContext } from "../context.fixture.ts";
import type { Result } from "../result.ts";
import { cliEnvironment, cliStderr, cliStdin, cliStdout } from "./cli.ts";
import { monotonicClock, systemClock, timezone } from "./clocks.ts";
import { random, randomInsecure, randomInsecureSeed } from "./random.ts";
import { bytes, readText, text, WrittenStream } from "./reader.fixture.ts";

type Functions = Readonly<Record<string, (...values: unknown[]) => unknown>>;
type Bytes = (lengthMax: bigint) => Uint8Array;
type Now = () => { readonly seconds: bigint; readonly nanoseconds: number };
interface Output {
  readonly writeViaStream: (data: StreamReader<number>) => FutureReader;
}
type Reading = [StreamReader<number>, Promise<Result<undefined, string>>];

test("arguments, directory and environment are the launch's", () => {
  const { context } = testContext({}, { arguments: ["program", "-v"], initialCwd: "/data" });
  const { getArguments, getEnvironment, getInitialCwd } = cliEnvironment({ context }) as Functions;
  expect([getArguments?.(), getEnvironment?.(), getInitialCwd?.()]).toEqual([["program", "-v"], [["A", "1"]], "/data"]);
});

test("stdin is one input however many streams read it, and at its end unless there is one", async () => {
  const stdin = new ByteQueue();
  const { readViaStream } = cliStdin(testContext({}, { stdin })) as { readViaStream: () => Reading };
  const [first] = readViaStream();
  const [second, outcome] = readViaStream();
  stdin.push(bytes("typed"));
  expect(first.read(2)).toEqual(bytes("ty"));
  first.drop();
  stdin.end();
  expect(await readText(second)).toBe("ped");
  expect(await outcome).toEqual({ tag: "ok", val: undefined });
  const none = (cliStdin(testContext()) as { readViaStream: () => Reading }).readViaStream();
  expect(none[0].read(1)).toBeUndefined();
});

test("an input that breaks is an error of input and output", async () => {
  const stdin = new ByteQueue();
  const { readViaStream } = cliStdin(testContext({}, { stdin })) as { readViaStream: () => Reading };
  const [reader, outcome] = readViaStream();
  stdin.fail("broken");
  expect(reader.read(1)).toBeUndefined();
  expect(await outcome).toEqual({ tag: "err", val: "io" });
});

test("stdout and stderr are the log's", async () => {
  const logged: string[] = [];
  const log = (stream: string, content: Uint8Array): void => void logged.push(`${stream} ${text(content)}`);
  const { context } = testContext({}, { log });
  for (const output of [cliStdout({ context }), cliStderr({ context })] as Output[]) {
    expect(await output.writeViaStream(WrittenStream.of("one", "two")).read()).toEqual({ tag: "ok", val: undefined });
  }
  expect(logged).toEqual(["stdout one", "stdout two", "stderr one", "stderr two"]);
});

test("the monotonic clock waits until a mark and for a duration, and can be told not to", async () => {
  const { context, clock } = testContext();
  const { now, getResolution, waitFor, waitUntil } = monotonicClock({ context }) as Functions;
  const start = now?.() as bigint;
  expect(getResolution?.()).toBe(100_000n);
  expect(waitUntil?.(start)).toBeUndefined();
  expect(waitFor?.(0n)).toBeUndefined();
  let woken = 0;
  const waits = [waitFor?.(5_000_000n), waitUntil?.(start + 20_000_000n)] as Promise<unknown>[];
  for (const wait of waits) void wait.then(() => woken++);
  await clock.advance(6);
  expect([woken, now?.()]).toEqual([1, start + 6_000_000n]);
  cancelOf(waits[1]!)?.();
  await clock.advance(60);
  expect(woken).toBe(1);
});

test("the system clock counts whole milliseconds since 1970, and lives in UTC", () => {
  const { context } = testContext();
  const { now, getResolution } = systemClock({ context }) as { now: Now; getResolution: () => bigint };
  const { seconds, nanoseconds } = now();
  expect(Number(seconds) * 1000 + nanoseconds / 1e6).toBe(Math.floor(context.settings.clock.wallMs()));
  expect(getResolution()).toBe(1_000_000n);
  const { ianaId, utcOffset, toDebugString } = timezone({ context }) as Functions;
  expect([ianaId?.(), utcOffset?.({ seconds, nanoseconds }), toDebugString?.()]).toEqual(["UTC", 0n, "UTC"]);
});

test("chance is given in pieces of a mebibyte at most, and never the same", () => {
  const { context } = testContext();
  const secure = random({ context }) as Functions;
  const insecure = randomInsecure({ context }) as Functions;
  for (const ask of [secure["getRandomBytes"], insecure["getInsecureRandomBytes"]] as Bytes[]) {
    expect(ask(0n).length).toBe(0);
    expect(ask(7n).length).toBe(7);
    expect(ask(2n ** 64n - 1n).length).toBe(1024 * 1024);
  }
  const seed = randomInsecureSeed({ context }) as Functions;
  const drawn = [
    secure["getRandomU64"]?.(),
    insecure["getInsecureRandomU64"]?.(),
    ...((seed["getInsecureSeed"]?.() ?? []) as bigint[]),
  ];
  expect(new Set(drawn).size).toBe(4);
});
