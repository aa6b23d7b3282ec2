import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalNativeImage } from "../../runtime/image/local-image.ts";
import type { SandboxMachine } from "../../runtime/sandbox/features.ts";
import {
  inspectorImage,
  launchOf,
  machineCounts,
  openSandbox,
  sandboxMachines,
} from "../../runtime/sandbox/sandbox.fixture.ts";
import { never } from "../../runtime/host/testing/runtime-fixture.ts";
import { NodeImages } from "../../runtime/image/node-images.ts";
import {
  ContentStore,
  type ImageReference,
  parseReference,
  pushImage,
  RegistryClient,
  writeImage,
} from "../../sdk/image/index.ts";
import { figure, median, quantile } from "./figures.ts";
import { staticServer } from "./native-server.ts";

const overheadGoalMs = 30;
const answerGoalMs = 150;

/** Starts of native pods beside the bare OCI runtime, and a request to one that is not there yet. */
export async function nativeBench(rounds: number): Promise<void> {
  const { machines, missing } = await sandboxMachines();
  const image = await staticServer();
  console.log("\nnative pods: a static server, unpacked; alternating with the bare runtime, medians");
  if (missing !== undefined || image === undefined) {
    figure("start", "not here", missing ?? "there is no C compiler");
    return;
  }
  for (const machine of machines) await startsOf(machine, image, rounds);
}

async function startsOf(machine: SandboxMachine, image: LocalNativeImage, rounds: number): Promise<void> {
  const { kind } = machine.runtime;
  await using sandbox = await openSandbox(machine, { sparesMax: 2 });
  await sandbox.runtime.prepare(image, AbortSignal.timeout(10_000));
  await using bare = await bareContainers(machine, image);
  const times = { bare: [] as number[], start: [] as number[], answer: [] as number[] };
  // The first of each loads what the others find loaded.
  for (let round = -1; round < rounds; round++) {
    const bareMs = await bare.run();
    const began = performance.now();
    const pod = await sandbox.runtime.start(launchOf({ uid: `bench-${round}`, image }), AbortSignal.timeout(30_000));
    const started = performance.now();
    const answer = await fetch(`http://${pod.ip ?? ""}:8080/`, { headers: { connection: "close" } });
    if ((await answer.text()) !== "hello\n") throw new Error("another answer came");
    const answered = performance.now();
    await sandbox.runtime.stop(pod.uid, 0);
    if (round < 0) continue;
    times.bare.push(bareMs);
    times.start.push(started - began);
    times.answer.push(answered - began);
  }
  const [bareMs, startMs] = [median(times.bare), median(times.start)];
  figure(`bare ${kind} run, until it listens`, `${bareMs.toFixed(1)} ms`);
  figure(
    `native pod by ${kind}, until it listens`,
    `${startMs.toFixed(1)} ms`,
    `${(startMs - bareMs).toFixed(1)} ms more; goal ${overheadGoalMs} ms`,
  );
  figure(
    `request to answer from nothing, ${kind}: p50`,
    `${median(times.answer).toFixed(1)} ms`,
    `goal ${answerGoalMs} ms; p90 ${quantile(times.answer, 0.9).toFixed(1)}`,
  );
}

interface BareContainers extends AsyncDisposable {
  /** Milliseconds until the server says that it listens. */
  run(): Promise<number>;
}

/** The runtime by itself: its own example of a bundle, with namespaces and a root, and nothing around it. */
async function bareContainers(machine: SandboxMachine, image: LocalNativeImage): Promise<BareContainers> {
  const { kind, path } = machine.runtime;
  const directory = await mkdtemp(join(tmpdir(), "shallop-bench-bare-"));
  const rootfs = join(directory, "rootfs");
  // Another bench may run beside this one.
  const name = `shallop-bench-${process.pid}`;
  await mkdir(rootfs);
  for (const layer of image.layerPaths) await cp(layer, rootfs, { recursive: true });
  spawnSync(path, ["spec"], { cwd: directory });
  const spec = (await import(join(directory, "config.json"), { with: { type: "json" } })) as {
    readonly default: { readonly process: object; readonly linux: object };
  };
  const config = {
    ...spec.default,
    ociVersion: "1.0.2",
    process: { ...spec.default.process, terminal: false, args: ["/server"] },
    linux: { ...spec.default.linux, cgroupsPath: `/${name}` },
  };
  await writeFile(join(directory, "config.json"), JSON.stringify(config));
  // crun refuses a v2 tree beside v1 controllers, and gets a view without it.
  const hide = kind === "crun" && machine.cgroups.mode === "hybrid" ? machine.cgroups.unified : undefined;
  const globals = ["--root", join(directory, "state")];
  const script = `${hide === undefined ? "" : `umount ${hide}; `}exec "$@"`;
  const wrapped = ["--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", path, ...globals];
  return {
    run: async () => {
      const began = performance.now();
      const child = spawn("unshare", [...wrapped, "run", "--bundle", directory, name], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = once(child, "exit");
      const isUp = await Promise.race([once(child.stdout, "data").then(() => true), ended.then(() => false)]);
      if (!isUp) throw new Error(`the bare ${kind} did not start its container`);
      const tookMs = performance.now() - began;
      spawnSync(path, [...globals, "kill", name, "KILL"]);
      await ended;
      spawnSync(path, [...globals, "delete", "--force", name]);
      return tookMs;
    },
    [Symbol.asyncDispose]: async () => {
      for (const root of machine.cgroups.roots) await rmdir(join(root, name)).catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface RootfsBench {
  readonly bytes: number;
  readonly rounds: number;
}

/** From a registry to the first answer of a server in a root file system, each time on a node that has nothing of it. */
export async function rootfsBench(size: RootfsBench, registryHost: string): Promise<void> {
  const [machine] = (await sandboxMachines()).machines.toReversed();
  const server = await staticServer();
  console.log(`\na native image of ${(size.bytes / 1e6).toFixed(0)} MB, from the registry to the first answer`);
  if (machine === undefined || server === undefined) return figure("pull to answer", "not here");
  const directory = await mkdtemp(join(tmpdir(), "shallop-bench-rootfs-"));
  try {
    using client = new RegistryClient();
    const reference = parseReference("bench/rootfs:1", { defaultRegistry: registryHost });
    const archive = await publishRootfs({ client, reference, directory, server, bytes: size.bytes });
    await using sandbox = await openSandbox(machine);
    const times = { fetch: [] as number[], total: [] as number[], tar: [] as number[] };
    for (let round = 0; round < size.rounds; round++) {
      const images = await NodeImages.open({ directory: join(directory, `node-${round}`), client });
      const began = performance.now();
      const resolved = await images.resolve(reference, never);
      const variant = resolved.variants.find(({ kind }) => kind === "native");
      if (variant === undefined) throw new Error("the image has no native variant");
      const image = await images.fetch(resolved, variant, { signal: never });
      times.fetch.push(performance.now() - began);
      const pod = await sandbox.runtime.start(launchOf({ uid: `rootfs-${round}`, image }), never);
      await (await fetch(`http://${pod.ip ?? ""}:8080/`, { headers: { connection: "close" } })).text();
      times.total.push(performance.now() - began);
      await sandbox.runtime.stop(pod.uid, 0);
      const plain = join(directory, `tar-${round}`);
      await mkdir(plain);
      const untarred = performance.now();
      const { status } = spawnSync("tar", ["-xzf", archive, "-C", plain]);
      if (status !== 0) throw new Error("tar failed");
      times.tar.push(performance.now() - untarred);
    }
    const fetchMs = median(times.fetch);
    figure(
      "pull to first answer: p50",
      `${median(times.total).toFixed(0)} ms`,
      `pull and unpack ${fetchMs.toFixed(0)}`,
    );
    const rate = `${(size.bytes / 1e3 / fetchMs).toFixed(0)} MB/s`;
    figure(
      "pulled, checked and unpacked",
      rate,
      `tar -xz of the same: ${(size.bytes / 1e3 / median(times.tar)).toFixed(0)} MB/s`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A file of this size is like many in a distribution; half of it compresses to nothing. */
const fileBytes = 64 * 1024;

/** Builds and pushes the image; returns the path of its layer's archive. */
async function publishRootfs(parts: {
  readonly client: RegistryClient;
  readonly reference: ImageReference;
  readonly directory: string;
  readonly server: LocalNativeImage;
  readonly bytes: number;
}): Promise<string> {
  const { client, reference, directory, server, bytes } = parts;
  const root = join(directory, "root");
  for (const layer of server.layerPaths) await cp(layer, root, { recursive: true });
  for (let index = 0; index * fileBytes < bytes; index++) {
    const folder = join(root, `usr/share/${index % 100}`);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, `file-${index}`),
      Buffer.concat([randomBytes(fileBytes / 2), Buffer.alloc(fileBytes / 2)]),
    );
  }
  const store = await ContentStore.open(join(directory, "built"));
  const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
  const { entrypoint } = server.config;
  const image = await writeImage(store, {
    native: [{ platform, layers: [{ directory: root }], config: { entrypoint } }],
  });
  await pushImage(client, store, { reference, target: image.index });
  const archive = join(directory, "layer.tar.gz");
  spawnSync("tar", ["-czf", archive, "-C", root, "."]);
  return archive;
}

/** Starts and kills pods, three at a time, and looks at what is left. @throws Error when a count is not what it was */
export async function soakBench(starts: number): Promise<void> {
  const { machines, missing } = await sandboxMachines();
  const image = (await staticServer()) ?? inspectorImage();
  console.log(`\nsoak: ${starts} native pods started and killed`);
  if (missing !== undefined) figure("soak", "not here", missing);
  for (const machine of machines) {
    await using sandbox = await openSandbox(machine);
    const cycle = async (uid: string): Promise<void> => {
      await sandbox.runtime.start(launchOf({ uid, image }), AbortSignal.timeout(60_000));
      await sandbox.runtime.stop(uid, 0);
    };
    await cycle("first");
    const before = await machineCounts();
    const began = performance.now();
    for (let done = 0; done < starts; done += 3) {
      await Promise.all([0, 1, 2].slice(0, starts - done).map((index) => cycle(`soak-${done + index}`)));
    }
    const after = await machineCounts();
    const changed = Object.entries(after).filter(([name, count]) => count !== before[name]);
    const text = Object.entries(after).map(([name, count]) => `${name} ${count}`);
    figure(
      `${machine.runtime.kind}: left over`,
      changed.length === 0 ? "nothing" : JSON.stringify(changed),
      text.join(", "),
    );
    figure(`${machine.runtime.kind}: a start and a kill`, `${((performance.now() - began) / starts).toFixed(1)} ms`);
    if (changed.length > 0)
      throw new Error(`after ${starts} starts and kills it is not as before: ${JSON.stringify(changed)}`);
  }
}
