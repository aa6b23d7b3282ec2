import { expect, onTestFinished, test, vi } from "vitest";
import { idleBench, smallIdleBench } from "./idle.bench.ts";

test("the bench of idle clients runs, and says what one costs", async () => {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  onTestFinished(() => log.mockRestore());
  await idleBench(smallIdleBench);
  for (const name of ["an idle connection of HTTP/1.1", "an idle WebSocket of a component"]) {
    const line = lines.find((one) => one.includes(name)) ?? "";
    // What a few of them cost beyond that is the heap's to grow by, and no figure.
    const kib = Number(/in use by JavaScript ([\d.]+) KiB/.exec(line)?.[1]);
    expect(kib, line).toBeGreaterThan(0);
    expect(kib, line).toBeLessThan(20);
  }
});
