import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, guestLimitDefaults, silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import { PreparedStore } from "../../component/prepared-store.ts";
import type { LocalWasmImage } from "../../image/local-image.ts";
import type { PodExit, PodLaunch, PodLimits, PodLogLine, RunningPod } from "../../pod/pod-runtime.ts";
import { Cells } from "../../sandbox/cell/cells.ts";
import { LinuxKernel } from "../../sandbox/kernel/linux.ts";
import { noHostJail } from "../host-jail.ts";
import { WasmRuntime } from "../wasm-runtime.ts";
import { guestComponent } from "./components.ts";
import { WireClient } from "./wire-client.ts";

export interface Noticed {
  readonly uid: string;
  readonly reason: string;
}

/** A WasmRuntime in a directory of its own, with everything that it reported. */
export class RuntimeFixture implements AsyncDisposable {
  readonly directory: string;
  readonly clock: Clock = systemClock;
  readonly exits = new Map<string, PodExit>();
  readonly lines = new Map<string, PodLogLine[]>();
  readonly notices: Noticed[] = [];
  /** Pods that stood by and have come up, and those that cannot any more. */
  readonly woken: RunningPod[] = [];
  readonly lost: string[] = [];
  readonly #runtimes: WasmRuntime[] = [];
  readonly #uids = new Set<string>();
  #count = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<RuntimeFixture> {
    return new RuntimeFixture(await mkdtemp(join(tmpdir(), "sh-")));
  }

  get runDirectory(): string {
    return join(this.directory, "run");
  }

  /** A runtime over the same directories; a second one is a second agent. */
  async runtime(
    egressAllowed: readonly string[] = [],
    { cells, mapsMax }: { readonly cells?: Cells; readonly mapsMax?: number } = {},
  ): Promise<WasmRuntime> {
    const runtime = new WasmRuntime({
      runDirectory: this.runDirectory,
      cacheDirectory: join(this.directory, "hosts"),
      prepared: await this.prepared(),
      observer: {
        exited: (uid, exit) => this.exits.set(uid, exit),
        woken: (running) => this.woken.push(running),
        standbyLost: (uid) => this.lost.push(uid),
        logged: (uid, line) => this.lines.set(uid, [...(this.lines.get(uid) ?? []), line]),
        noticed: (uid, { reason }) => this.notices.push({ uid, reason }),
      },
      hostJail: noHostJail,
      // Our own programs are compiled once for all tests.
      compileCache: join(tmpdir(), `shallop-test-code-${String(process.getuid?.() ?? 0)}`),
      cells: cells ?? (await Cells.open({ directory: join(this.directory, "node") })),
      kernel: await LinuxKernel.open(this.clock),
      clock: this.clock,
      random: systemRandom,
      log: silentLog,
      egressAllowed,
      ...(mapsMax === undefined ? {} : { mapsMax }),
    });
    this.#runtimes.push(runtime);
    await runtime.open();
    return runtime;
  }

  prepared(): Promise<PreparedStore> {
    const directory = join(this.directory, "images");
    return PreparedStore.open({ directory, bytesMax: 1024 ** 3, clock: this.clock, random: systemRandom });
  }

  async guestImage(): Promise<LocalWasmImage> {
    const { path, digest } = await guestComponent();
    return { variant: "wasm", digest, componentDigest: digest, componentPath: path, sizeBytes: 0 };
  }

  async imageOf(bytes: Uint8Array): Promise<LocalWasmImage> {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const componentPath = join(this.directory, `${digest.slice(7, 19)}.wasm`);
    await writeFile(componentPath, bytes);
    return { variant: "wasm", digest, componentDigest: digest, componentPath, sizeBytes: bytes.length };
  }

  launch(image: LocalWasmImage, namespace = "default", limits: Partial<PodLimits> = {}): PodLaunch {
    this.#count++;
    const uid = `uid-${this.#count}`;
    this.#uids.add(uid);
    return {
      namespace,
      name: `pod-${this.#count}`,
      uid,
      image,
      env: [{ name: "K_SERVICE", value: "guest" }],
      port: 8080,
      limits: {
        ...guestLimitDefaults,
        memoryBytes: 64 * 1024 * 1024,
        cpu: 1,
        pidsMax: 16,
        requestTimeoutMs: 60_000,
        concurrencyMax: 0,
        startTimeoutMs: 60_000,
        ...limits,
      },
    };
  }

  async connect(pod: RunningPod): Promise<WireClient> {
    if (pod.endpoint.protocol !== "wire") throw new Error("a Wasm pod speaks the wire protocol");
    return WireClient.connect(pod.endpoint.socket);
  }

  logText(uid: string): string {
    return (this.lines.get(uid) ?? []).map(({ text }) => text).join("\n");
  }

  /** Waits until `isTrue` is; fails the test after a minute: on a busy machine much takes ten seconds that otherwise takes one. */
  async until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const giveUpMs = this.clock.nowMs() + 120_000;
    while (this.clock.nowMs() < giveUpMs) {
      if (await isTrue()) return;
      await this.clock.sleep(20);
    }
    throw new Error("what was waited for did not happen within a minute");
  }

  /** Processes in which pods of this runtime run, or may. */
  async hostPids(): Promise<number[]> {
    const pids: number[] = [];
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
      const program = await readlink(`/proc/${entry}/exe`).catch(() => "");
      // Not the one that waits for it.
      const isHost = command.split("\0").some((word) => word.endsWith("host-main.ts"));
      if (program !== "" && isHost && command.includes(this.directory)) pids.push(Number(entry));
    }
    return pids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runtime of this.#runtimes) {
      for (const uid of this.#uids) await runtime.stop(uid, 0);
      await runtime.close();
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const never = new AbortController().signal;
