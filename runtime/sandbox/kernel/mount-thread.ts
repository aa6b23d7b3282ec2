import { closeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { SocketAddress } from "./bound-socket.ts";
import { KernelFault } from "./command.ts";
import type { OpenDescriptor } from "./kernel.ts";
import type { PodMounts } from "./pod-mounts.ts";

export type MountRequest = { readonly id: number } & MountWish;

export type MountWish = { readonly mounts: PodMounts } | { readonly socket: SocketAddress };

export type MountAnswer = { readonly id: number } & ({ readonly fd: number } | { readonly error: string });

const program = new URL("mount-thread-main.ts", import.meta.url);

/**
 * Makes mount namespaces for pods, in a thread of its own: unshare(2) and setns(2) are about a thread, and Node's own
 * must stay where it is. The thread is started by the first request and stays.
 */
export class MountThread implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<OpenDescriptor>>();
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #network: string | undefined;

  /** With `network`, the path of a network namespace in which the thread is at home. */
  constructor(network?: string) {
    this.#network = network;
  }

  /** @throws KernelFault COMMAND_FAILED, with what the kernel refused */
  async make(mounts: PodMounts): Promise<OpenDescriptor> {
    if (mounts.isOnce !== true) return this.#ask({ mounts });
    await using thread = new MountThread();
    return await thread.#ask({ mounts });
  }

  /** A socket of the network in which the thread is at home. @throws KernelFault COMMAND_FAILED */
  socket(socket: SocketAddress): Promise<OpenDescriptor> {
    return this.#ask({ socket });
  }

  #ask(wish: MountWish): Promise<OpenDescriptor> {
    this.#worker ??= this.#start();
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<OpenDescriptor>();
    this.#waiting.set(id, answer);
    this.#worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage({ id, ...wish } satisfies MountRequest);
    return answer.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(program, { env: {}, execArgv: ["--no-warnings"], workerData: this.#network });
    worker.on("message", (answer: MountAnswer) => this.#answered(answer));
    // Its library cannot be loaded, or it broke: the next request starts another one.
    worker.once("error", (cause) => this.#ended(cause));
    worker.once("exit", () => this.#ended(undefined));
    return worker;
  }

  #answered(answer: MountAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ("error" in answer) {
      waiting?.reject(new KernelFault("COMMAND_FAILED", `in another namespace: ${answer.error}`));
    } else waiting?.resolve(openDescriptor(answer.fd));
  }

  #ended(cause: unknown): void {
    this.#worker = undefined;
    const failure = new KernelFault("COMMAND_FAILED", "the thread that goes into other namespaces has ended", {
      cause,
    });
    for (const waiting of this.#waiting.values()) waiting.reject(failure);
    this.#waiting.clear();
  }
}

const openDescriptor = (fd: number): OpenDescriptor => ({ fd, [Symbol.dispose]: () => closeSync(fd) });
