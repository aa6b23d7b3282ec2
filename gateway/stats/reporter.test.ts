import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import type { LoadAnswer, LoadReport } from "@shallop/sdk/wire";
import { describe, expect, test } from "vitest";
import { LoadMeter } from "./load.ts";
import { LoadReporter } from "./reporter.ts";

function reporting(send: (report: LoadReport, signal: AbortSignal) => Promise<LoadAnswer | undefined | void>): {
  readonly clock: FakeClock;
  readonly meter: LoadMeter;
  readonly reporter: LoadReporter;
  /** Those that tell of load, and the others. */
  readonly sent: { readonly atMs: number; readonly report: LoadReport }[];
  readonly heartbeats: { readonly atMs: number; readonly report: LoadReport }[];
  readonly answers: LoadAnswer[];
} {
  const clock = new FakeClock();
  const meter = new LoadMeter();
  const sent: { atMs: number; report: LoadReport }[] = [];
  const heartbeats: typeof sent = [];
  const answers: LoadAnswer[] = [];
  const reporter = new LoadReporter({
    clock,
    log: silentLog,
    meter,
    gateway: "g",
    peerAddress: () => "10.0.0.1:99",
    answered: (answer) => answers.push(answer),
    waiting: () => 1,
    send: async (report, signal) => {
      (report.revisions.length > 0 ? sent : heartbeats).push({ atMs: clock.nowMs(), report });
      return (await send(report, signal)) ?? undefined;
    },
  });
  return { clock, meter, reporter, sent, heartbeats, answers };
}

describe("LoadReporter", () => {
  test("without load it says now and then that it lives and where; and at once that it leaves", async () => {
    const answer = { gateways: [{ name: "g", peerAddress: "10.0.0.1:99" }] };
    const { clock, reporter, sent, heartbeats, answers } = reporting(() => Promise.resolve(answer));
    await clock.advance(7500);
    expect(heartbeats.map(({ atMs }) => atMs)).toEqual([1000, 4000, 7000]);
    expect(heartbeats[0]?.report).toEqual({ gateway: "g", peerAddress: "10.0.0.1:99", revisions: [] });
    expect([sent, answers]).toEqual([[], [answer, answer, answer]]);
    reporter.leave();
    expect(heartbeats[3]).toMatchObject({ atMs: 7500, report: { isLeaving: true } });
    reporter.close();
  });

  test("reports each second while there is news, and at once when it is poked", async () => {
    const { clock, meter, reporter, sent } = reporting(() => Promise.resolve());
    await clock.advance(1500);
    expect(sent).toEqual([]);
    const entry = meter.arrived("ns/r", clock.nowMs());
    reporter.poke();
    reporter.poke();
    await clock.advance(2000);
    meter.left(entry, clock.nowMs(), { latencyMs: 1, hasFailed: false });
    await clock.advance(3000);
    expect(sent.map(({ atMs }) => atMs)).toEqual([1600, 2000, 3000, 4000, 5000]);
    expect(sent[0]?.report).toMatchObject({ gateway: "g", revisions: [{ requestCount: 1, waiting: 1 }] });
    reporter.close();
  });

  test("has one report under way at a time, and gives it up in the end", async () => {
    const { clock, meter, reporter, sent } = reporting(
      (_report, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    );
    meter.arrived("ns/r", 0);
    await clock.advance(1100);
    reporter.poke();
    await clock.advance(1800);
    expect(sent.map(({ atMs }) => atMs)).toEqual([1000]);
    await clock.advance(200);
    expect(sent.map(({ atMs }) => atMs)).toEqual([1000, 3000]);
    reporter.close();
  });

  test("a poke while a report is under way is followed by another", async () => {
    const { clock, meter, reporter, sent } = reporting(async () => clock.sleep(300));
    meter.arrived("ns/r", 0);
    await clock.advance(1100);
    reporter.poke();
    await clock.advance(400);
    expect(sent.map(({ atMs }) => atMs)).toEqual([1000, 1400]);
    reporter.close();
  });

  test("a control plane that is away costs reports, not requests; the end of load is told when it is back", async () => {
    let away = true;
    const { clock, meter, reporter, sent } = reporting(() =>
      away ? Promise.reject(new Error("connection refused")) : Promise.resolve(),
    );
    meter.left(meter.arrived("ns/r", 0), 0, { latencyMs: 1, hasFailed: false });
    await clock.advance(5500);
    away = false;
    await clock.advance(3000);
    expect(sent.at(-1)?.report.revisions).toMatchObject([{ requestCount: 0, averageConcurrency: 0 }]);
    const count = sent.length;
    await clock.advance(3000);
    expect(sent.length).toBe(count);
    reporter.close();
  });

  test("says nothing after it was closed", async () => {
    const { clock, meter, reporter, sent } = reporting(() => Promise.resolve());
    meter.arrived("ns/r", 0);
    reporter.poke();
    reporter.close();
    await clock.advance(3000);
    expect(sent).toEqual([]);
  });
});
