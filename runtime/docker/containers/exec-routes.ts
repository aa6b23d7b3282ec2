import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { dig, label, listAt, textAt } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { type Call, created, noContent, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { ContainerOutput, framedType, rawType } from "../http/raw-frames.ts";
import type { Routes } from "../http/router.ts";
import { type PodCommandStreams, runPodCommand } from "@shallop/sdk/client";
import { isActive, startExitCode } from "./container-state.ts";
import type { DockerContainer } from "./containers.ts";
import { dockerNamespace, podContainer } from "./pod-spec.ts";
import type { StreamParts } from "./stream-routes.ts";

/** A command in a container: what it is, and what has come of it. */
interface Exec {
  readonly id: string;
  readonly container: DockerContainer;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  state: "created" | "running" | "ended";
  exitCode: number | undefined;
}

/** Those that have ended are asked for their code right afterwards; the oldest are forgotten. */
const execsMax = 1024;

/** `docker exec`: made, started, asked for its code. */
export class Execs {
  readonly #parts: StreamParts;
  readonly #byId = new Map<string, Exec>();

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  routes(): Routes {
    return {
      "POST /containers/:id/exec": (call) => this.#create(call),
      "POST /exec/:id/resize": (call) => this.#resize(call),
      "GET /exec/:id/json": (call) => ok(inspection(this.#find(call))),
    };
  }

  startRoutes(): Routes {
    return { "POST /exec/:id/start": (call) => this.#start(call) };
  }

  async #create(call: Call): Promise<Reply> {
    const container = this.#parts.containers.find(call.param("id"));
    if (!isActive(container.state))
      throw new DockerFault("CONFLICT", `container ${container.record.id} is not running`);
    if (container.state.name === "paused")
      throw new DockerFault(
        "CONFLICT",
        `Container ${container.record.id} is paused, unpause the container before exec`,
      );
    if (container.pod?.metadata.labels?.[label.variant] === "wasm")
      throw new DockerFault(
        "CONFLICT",
        `Container ${container.record.id} runs a component, in which no command can be run`,
      );
    const body = await call.body();
    const texts = (name: string): readonly string[] =>
      listAt(body, name).map((word) => {
        if (typeof word === "string") return word;
        throw new DockerFault("BAD_REQUEST", `${name} is no list of texts`);
      });
    const command = texts("Cmd");
    if (command.length === 0) throw new DockerFault("BAD_REQUEST", "No exec command specified");
    if (dig(body, "Privileged") === true)
      throw new DockerFault("UNSUPPORTED", "exec --privileged: a command has the rights of its container");
    const exec: Exec = {
      ...{ id: randomBytes(32).toString("hex"), container, command, env: texts("Env") },
      user: textAt(body, "User") ?? "",
      workingDir: textAt(body, "WorkingDir") ?? "",
      tty: dig(body, "Tty") === true,
      stdin: dig(body, "AttachStdin") === true,
      state: "created",
      exitCode: undefined,
    };
    this.#add(exec);
    this.#parts.containers.tell(container, `exec_create: ${command.join(" ").slice(0, 200)}`, { execID: exec.id });
    return created({ Id: exec.id });
  }

  #add(exec: Exec): void {
    for (const [id, { state }] of this.#byId) {
      if (this.#byId.size < execsMax) break;
      if (state !== "running") this.#byId.delete(id);
    }
    if (this.#byId.size >= execsMax)
      throw new DockerFault("TOO_MANY", `${String(execsMax)} commands run in containers already`);
    this.#byId.set(exec.id, exec);
  }

  #find(call: Call): Exec {
    const id = call.param("id");
    const exec = this.#byId.get(id);
    if (exec === undefined) throw new DockerFault("NOT_FOUND", `No such exec instance: ${id.slice(0, 80)}`);
    return exec;
  }

  async #start(call: Call): Promise<Reply | void> {
    const exec = this.#find(call);
    const body = await call.body();
    if (exec.state !== "created") throw new DockerFault("CONFLICT", `exec ${exec.id} has been started already`);
    if (!isActive(exec.container.state))
      throw new DockerFault("CONFLICT", `container ${exec.container.record.id} is not running`);
    if (dig(body, "Detach") === true) {
      // Nobody reads, and nobody hangs it up.
      void this.#run(exec, { stdout: new PassThrough().resume(), stderr: new PassThrough().resume() });
      return { status: 200 };
    }
    const { input, output: raw } = call.hijack(exec.tty ? rawType : framedType);
    const output = new ContainerOutput(raw, exec.tty);
    const stdin = new PassThrough();
    input.pipe(stdin);
    const { signal } = call;
    await this.#run(exec, {
      ...(exec.stdin ? { stdin } : {}),
      ...{ stdout: output.writable("stdout", signal), stderr: output.writable("stderr", signal), signal },
    });
  }

  async #run(exec: Exec, streams: PodCommandStreams): Promise<void> {
    const { containers, credentials, terminals } = this.#parts;
    const { container, command, env, user, workingDir } = exec;
    exec.state = "running";
    containers.tell(container, `exec_start: ${command.join(" ").slice(0, 200)}`, { execID: exec.id });
    const over = new AbortController();
    try {
      exec.exitCode = await runPodCommand(
        credentials,
        {
          ...{ namespace: dockerNamespace, pod: container.pod?.metadata.name ?? "", container: podContainer, command },
          ...{ terminal: exec.tty, env },
          ...(user === "" ? {} : { user }),
          ...(workingDir === "" ? {} : { workingDir }),
        },
        { ...streams, onSize: (resized) => terminals.onSize(exec.id, resized, over.signal) },
      );
    } catch (error) {
      const message = describeError(error);
      exec.exitCode = startExitCode(message);
      if (streams.signal?.aborted !== true)
        (exec.tty ? streams.stdout : streams.stderr).write(
          `OCI runtime exec failed: exec failed: ${message}${exec.tty ? "\r\n" : "\n"}`,
        );
    } finally {
      over.abort();
      exec.state = "ended";
      containers.tell(container, "exec_die", { execID: exec.id, exitCode: String(exec.exitCode ?? 255) });
    }
  }

  #resize(call: Call): Reply {
    const { id } = this.#find(call);
    this.#parts.terminals.resize(id, { columns: call.count("w") ?? 0, rows: call.count("h") ?? 0 });
    return { ...noContent, status: 200 };
  }
}

const inspection = ({ id, container, command, state, exitCode, tty, stdin, user }: Exec): object => ({
  ID: id,
  Running: state === "running",
  ExitCode: exitCode ?? null,
  ProcessConfig: { tty, entrypoint: command[0], arguments: command.slice(1), privileged: false, user },
  ...{ OpenStdin: stdin, OpenStderr: true, OpenStdout: true, CanRemove: state === "ended" },
  ContainerID: container.record.id,
  DetachKeys: "",
  Pid: 0,
});
