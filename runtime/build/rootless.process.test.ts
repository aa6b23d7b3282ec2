import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuilderMessage, BuilderRequest } from "@shallop/sdk/wire";
import { detectFeatures } from "../sandbox/features.ts";
import { openWorkshop, type Workshop } from "./build.fixture.ts";

// RUN by an ordinary user: in namespaces that end with the builder, with the same layers as by root.

/** In nobody's list of users, and without subordinate ids. */
const user = 54_321;
const { nativeMissing } = await detectFeatures();
const skips = process.getuid?.() !== 0 || nativeMissing !== undefined;
const limits = { network: "none", memoryBytes: 96 << 20, cpu: 1, pidsMax: 64, timeoutMs: 30_000 } as const;
const base = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;
let workshop: Workshop;

beforeAll(async () => {
  workshop = await openWorkshop({ run: limits });
  await copyFile("/bin/busybox", join(workshop.directory, "context/busybox"));
  await chown(workshop.directory, user, user);
});
afterAll(() => workshop[Symbol.asyncDispose]());

interface OwnBuild {
  readonly child: ChildProcess;
  readonly messages: readonly BuilderMessage[];
  /** Resolves with how it ended, once a line has been said. */
  readonly said: (text: string) => Promise<void>;
}

/** The builder, as the command line of that user starts it. */
async function begin(steps: string): Promise<OwnBuild> {
  const dockerfile = join(workshop.directory, "Dockerfile");
  await writeFile(dockerfile, base + steps);
  const { directory, settings } = workshop;
  const child = spawn(process.execPath, ["--no-warnings", join(import.meta.dirname, "main.ts")], {
    ...{ uid: user, gid: user, stdio: ["ignore", "inherit", "inherit", "ipc"] },
    env: { PATH: process.env["PATH"] },
  });
  const request: BuilderRequest = {
    settings: { ...settings, storeDirectory: join(directory, "own-store"), builderDirectory: join(directory, "own") },
    orders: [
      {
        ...{
          id: "own",
          context: join(directory, "context"),
          dockerfile,
          platform: platform(),
          buildArgs: {},
          labels: {},
        },
      },
    ],
  };
  const messages: BuilderMessage[] = [];
  const { promise: spoken, resolve } = Promise.withResolvers<void>();
  let awaited = "";
  child.on("message", (message: BuilderMessage) => {
    messages.push(message);
    if (message.kind === "ready") child.send(request);
    if (message.kind === "event" && message.event.kind === "output" && message.event.text === awaited) resolve();
  });
  return { child, messages, said: (text) => ((awaited = text), spoken) };
}

const platform = (): string => `linux/${process.arch === "x64" ? "amd64" : process.arch}`;

/** Command lines of what runs in containers of that user's builds. */
async function running(marker: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.startsWith(`/bin/busybox\0sleep\0${marker}`));
}

describe.skipIf(skips)("RUN of an ordinary user", () => {
  test("leaves the layers that root's leaves, sees nobody else's processes and networks, and says what is weaker", async () => {
    const steps = `RUN mkdir -p /d/old /gone && echo a > /d/a && ln -s a /d/soft && chmod 2750 /d && echo c > /gone/c
RUN rm -r /gone /bin/vi /d/old && mkdir /gone && echo d > /gone/d; echo links $(ls /sys/class/net); echo first $(ls -d /proc/[0-9]*)
`;
    const { child, messages } = await begin(steps);
    await once(child, "exit");
    const last = messages.at(-1);
    const own = last?.kind === "built" ? last.variants[0]?.manifest.digest : last;
    const { built } = await workshop.build(base + steps);
    expect(own).toBe(built.manifest.digest);
    const told = (kind: "note" | "output"): readonly string[] =>
      messages.flatMap((message) =>
        message.kind === "event" && message.event.kind === kind ? [message.event.text] : [],
      );
    expect(told("output")).toEqual(["links lo", expect.stringMatching(/^first \/proc\/1( \/proc\/\d+){0,2}$/)]);
    expect(told("note")).toEqual([expect.stringMatching(/loosely/), expect.stringMatching(/--add-subuids/)]);
  });

  test.each([
    { way: "whose client leaves", marker: "3601", end: (child: ChildProcess) => child.disconnect() },
    { way: "that is killed", marker: "3602", end: (child: ChildProcess) => child.kill("SIGKILL") },
  ])("of a builder $way ends with it, and the next one removes what is left", async ({ marker, end }) => {
    const { child, said } = await begin(`RUN echo sleeping; exec /bin/busybox sleep ${marker}\n`);
    await said("sleeping");
    await expect.poll(() => running(marker)).toHaveLength(1);
    const exit = once(child, "exit");
    end(child);
    await exit;
    await expect.poll(() => running(marker)).toEqual([]);
    const { child: next, messages } = await begin(`RUN echo ${marker}\n`);
    await once(next, "exit");
    expect(messages.at(-1)?.kind).toBe("built");
    expect(await readdir(join(workshop.directory, "own/runs"))).toEqual([]);
  });
});
