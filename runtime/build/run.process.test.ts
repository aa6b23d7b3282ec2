import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentStore } from "@shallop/sdk/image";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { detectFeatures, findProgram } from "../sandbox/features.ts";
import { nodeCgroup, nodeKey } from "../sandbox/pod-files.ts";
import { emptyTree } from "./file-tree.ts";
import { RunSandbox } from "./run-sandbox.ts";
import { openWorkshop, type Outcome, type Workshop } from "./build.fixture.ts";

// What only a real container shows of RUN: what it leaves in a layer, what it may not do, and that nothing is left of it.

const { nativeMissing } = await detectFeatures();
const busybox = "/bin/busybox";
const limits = { network: "none", memoryBytes: 96 << 20, cpu: 1, pidsMax: 64, timeoutMs: 30_000 } as const;
let workshop: Workshop;

const base = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;
const build = (steps: string): Promise<Outcome> => workshop.build(`${base}${steps}`);
const output = ({ events }: Outcome): readonly string[] =>
  events.flatMap((event) => (event.kind === "output" ? [event.text] : []));

beforeAll(async () => {
  workshop = await openWorkshop({ run: limits });
  await copyFile(busybox, join(workshop.directory, "context/busybox"));
});
afterAll(async () => {
  const left = nodeCgroup(nodeKey(join(workshop.directory, "builder")));
  const hierarchies = await readdir("/sys/fs/cgroup");
  for (const name of hierarchies) expect(await readdir(join("/sys/fs/cgroup", name, left)).catch(() => [])).toEqual([]);
  expect(await readdir(join(workshop.directory, "builder/runs"))).toEqual([]);
  expect(await readFile("/proc/mounts", "utf8")).not.toContain(workshop.directory);
  await workshop[Symbol.asyncDispose]();
});

describe.skipIf(nativeMissing !== undefined)(`RUN${nativeMissing === undefined ? "" : ` (${nativeMissing})`}`, () => {
  test("leaves files, links, modes, owners and removals, exactly, and the same each time", async () => {
    const steps = `RUN mkdir -p /d/sub /gone /again/old && echo a > /d/a && echo b > /gone/b && echo c > /again/old/c
RUN ln /d/a /d/hard && ln -s a /d/soft && chmod 4750 /d/a && chown 7:8 /d/sub && mkfifo /d/pipe \\
 && rm -r /gone /bin/vi && rm -r /again && mkdir /again && echo d > /again/d && mv /d/sub /d/moved
`;
    const first = await build(steps);
    expect(first.files).toMatchObject({
      "d/a": "4750 0:0 a\n",
      "d/hard": "4750 0:0 a\n",
      "d/soft": "777 0:0 -> a",
      "d/moved": "755 7:8 (directory)",
      "d/pipe": "644 0:0 (fifo)",
      "again/d": "644 0:0 d\n",
    });
    for (const gone of ["gone", "gone/b", "bin/vi", "again/old", "d/sub", "etc/resolv.conf", "etc/hosts"])
      expect(first.files[gone]).toBeUndefined();
    await using elsewhere = await openWorkshop({ run: limits });
    await copyFile(busybox, join(elsewhere.directory, "context/busybox"));
    expect((await elsewhere.build(`${base}${steps}`)).built.manifest).toEqual(first.built.manifest);
    // What tar makes of the layers on top of each other is the same tree, for those that read them otherwise.
    expect(await build(steps)).toMatchObject({ built: { cachedCount: 5 } });
  });

  test("by runc and by crun, in a user namespace and without: the same layer", async () => {
    const { machine } = await detectFeatures({ knownEscapes: "allow" });
    const directory = join(workshop.directory, "builder");
    const layer = join(workshop.directory, "layer");
    await mkdir(join(layer, "bin"), { recursive: true });
    await copyFile(busybox, join(layer, "bin/busybox"));
    const runtimes = await Promise.all(
      (["runc", "crun"] as const).map(async (kind) => ({ kind, path: await findProgram(kind) })),
    );
    const layers: (string | undefined)[] = [];
    for (const { kind, path } of runtimes) {
      for (const shiftsUsers of [true, false]) {
        if (machine === undefined || path === undefined || (shiftsUsers && !machine.shiftsUsers)) continue;
        await using sandbox = await RunSandbox.on({
          ...{ directory, clock: systemClock, random: systemRandom },
          store: await ContentStore.open(workshop.settings.storeDirectory),
          machine: { ...machine, shiftsUsers, runtime: { kind, path, version: "unknown" } },
        });
        const script =
          "cd /bin; ./busybox mkdir -p /x/y; echo hi > /x/f; ./busybox chown 5:6 /x/f; ./busybox chmod 2755 /x/y";
        const order = { cwd: "/", user: { uid: 0, gid: 0, additionalGids: [] }, image: emptyTree, mtimeMax: 0, limits };
        const made = await sandbox.run(
          {
            ...order,
            args: ["/bin/busybox", "sh", "-ec", script],
            env: [],
            layerPaths: [layer],
            onLine: () => undefined,
          },
          AbortSignal.timeout(30_000),
        );
        layers.push(made?.diffId);
      }
    }
    expect(layers.length).toBeGreaterThan(0);
    expect(new Set(layers).size).toBe(1);
    expect(layers[0]).toMatch(/^sha256:/);
  });

  test("runs as the user, in the directory, with the arguments and the environment; proxies change no digest", async () => {
    const steps = `RUN echo 'app:x:7:7::/home:/bin/sh' > /etc/passwd
WORKDIR /work
ENV E="two words"
ARG A=1
USER app
SHELL ["/bin/busybox", "sh", "-euc"]
RUN echo "$(id -u) $PWD $E $A $http_proxy" && test "$HOME" = /home
`;
    const proxied = await workshop.build(`${base}${steps}`, { buildArgs: { http_proxy: "http://p", A: "2" } });
    expect(output(proxied)).toContain("7 /work two words 2 http://p");
    const plain = await workshop.build(`${base}${steps}`, { buildArgs: { A: "2" } });
    expect(plain.built.manifest).toEqual(proxied.built.manifest);
    expect(JSON.stringify(plain.config["history"])).toContain("RUN |1 A=2 /bin/busybox sh -euc");
  });

  test("is closed in: no network, no devices, no new privileges, the platform's system calls", async () => {
    const outcome = await build(`RUN cat /proc/self/status | grep -E '^(NoNewPrivs|Seccomp|CapEff):' ; \\
  echo links $(ls /sys/class/net) ; ls /dev ; mknod /x b 8 0 || echo no device ; mount -t tmpfs t /bin || echo no mount ; \\
  chroot / true || echo no chroot ; nc -w 1 1.1.1.1 80 < /dev/null || echo no way ; \\
  echo x > /proc/sysrq-trigger || echo no trigger ; hostname
`);
    const lines = output(outcome);
    for (const line of ["no device", "no mount", "no chroot", "no way", "no trigger", "build", "NoNewPrivs:\\t1"])
      expect(lines).toContain(line.replace("\\t", "\t"));
    expect(lines).toContain("Seccomp:\t2");
    expect(lines.join("\n")).not.toMatch(/sda|kvm|mem$/m);
  });

  test("a program that fails, or uses too much, ends the build with its line, and leaves nothing", async () => {
    const fails = build("RUN echo why && exit 3\n");
    await expect(fails).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringMatching(/^line 4: RUN: it ended with code 3.*--network host/),
    });
    await expect(build("RUN cat /dev/zero | tail\n")).rejects.toMatchObject({
      code: expect.stringMatching(/^(BUILD_LIMIT|RUN_FAILED)$/),
    });
    await using short = await openWorkshop({ run: { ...limits, timeoutMs: 500 } });
    await copyFile(busybox, join(short.directory, "context/busybox"));
    await expect(short.build(`${base}RUN sleep 60\n`)).rejects.toMatchObject({
      code: "BUILD_LIMIT",
      message: expect.stringMatching(/more than 1 s; give it more with --timeout/),
    });
    const bomb = await build("RUN f() { (f & f &) 2>/dev/null; }; f; echo alive\n");
    expect(output(bomb)).toContain("alive");
    await expect(build('RUN ["/none"]\n')).rejects.toMatchObject({ code: "RUN_FAILED" });
  });

  test("another processor's programs are not run, and said so; its files are copied", async () => {
    const other = process.arch === "x64" ? "s390x" : "amd64";
    const platform = `linux/${other}`;
    const copied = await workshop.build("FROM scratch\nCOPY busybox /b\n", { platform });
    expect(copied.built.manifest.platform).toEqual({ os: "linux", architecture: other });
    const run = workshop.build(`${base}RUN true\n`, { platform });
    await expect(run).rejects.toMatchObject({
      code: "BUILD_UNSUPPORTED",
      message: expect.stringContaining("BUILDPLATFORM"),
    });
  });

  test("a builder that is killed leaves nothing that the next one does not remove", async () => {
    const killed = join(import.meta.dirname, "kill-builder.fixture.ts");
    const said = execFileSync(process.execPath, ["--no-warnings", killed, workshop.directory], { encoding: "utf8" });
    expect(said).toBe("killed\n");
    expect(await readdir(join(workshop.directory, "builder/runs"))).toHaveLength(1);
    await build("RUN echo after\n");
    expect(await readdir(join(workshop.directory, "builder/runs"))).toEqual([]);
  });
});
