import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, errorCode, type Log } from "@shallop/sdk/internal";
import type { ContainerProcess } from "../../pod/container-process.ts";
import { AgentFault } from "../fault-status.ts";
import type { LocalPod } from "../local-pod.ts";
import type { CommandStreams, StreamOptions } from "./command-streams.ts";
import { type DialPort, servePortForward } from "./port-forward.ts";
import { runRemoteCommand } from "./remote-command.ts";
import { acceptCommandSpdy, asksForSpdy } from "./spdy-streams.ts";
import { acceptCommandWebSocket, asksForWebSocket } from "./web-socket-streams.ts";

/** A pod as far as streams reach into it. */
type StreamedPod = Pick<LocalPod, "key" | "ports" | "expectContainer" | "exec" | "attach">;

export interface PodStreamsSettings {
  /** By `namespace/name`. */
  readonly pods: { get(key: string): StreamedPod | undefined };
  readonly clock: Clock;
  readonly log: Log;
}

/** People type into these; scripts open dozens. Each costs a process or two. */
const sessionsMax = 256;
/** execve(2)'s own bound on a string is 128 KiB, and a request line holds less. */
const argumentsMax = 1024;

export interface Connection {
  readonly socket: Duplex;
  readonly first: Buffer;
}

/**
 * exec, attach and port-forward, as the kubelet serves them:
 *
 *   /exec/{namespace}/{pod}/{container}?command=…&stdin=&stdout=&stderr=&tty=, and ours: &env=…&user=&workingDir=
 *   /attach/{namespace}/{pod}/{container}?stdin=…
 *   /portForward/{namespace}/{pod}
 */
export class PodStreams {
  readonly #settings: PodStreamsSettings;
  #sessions = 0;

  constructor(settings: PodStreamsSettings) {
    this.#settings = settings;
  }

  /** Is this what the request is for? */
  isFor(request: IncomingMessage): boolean {
    return /^\/(exec|attach|portForward)\//.test(request.url ?? "");
  }

  /** Serves the connection to its end. @throws AgentFault before anything was answered */
  async serve(request: IncomingMessage, connection: Connection): Promise<void> {
    if (this.#sessions >= sessionsMax) {
      throw new AgentFault("TOO_MANY", "too many sessions of exec, attach and port-forward", { retryable: true });
    }
    this.#sessions++;
    try {
      await this.#serve(request, connection);
    } catch (error) {
      if (error instanceof AgentFault) throw error;
      // Answered already: what is left to say is that it is over.
      this.#settings.log.debug("a stream to a pod broke", { code: errorCode(error), error: String(error) });
      connection.socket.destroy();
    } finally {
      this.#sessions--;
    }
  }

  async #serve(request: IncomingMessage, connection: Connection): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://agent");
    const [, act, namespace = "", name = "", container = ""] = pathname.split("/").map(decodeURIComponent);
    const pod = this.#podOf(namespace, name);
    if (act === "portForward") return servePortForward(request, connection, async (port) => dial(pod, port));
    pod.expectContainer(container);
    const open = act === "exec" ? execOf(pod, container, query) : attachOf(pod, container, query);
    const options = streamOptions(query);
    await runRemoteCommand(await this.#accept(request, connection, options), open);
  }

  #accept(request: IncomingMessage, connection: Connection, options: StreamOptions): Promise<CommandStreams> {
    if (asksForWebSocket(request)) {
      return acceptCommandWebSocket(request, connection.socket, connection.first, options);
    }
    if (asksForSpdy(request)) return acceptCommandSpdy(request, connection, options, this.#settings.clock);
    throw new AgentFault("BAD_REQUEST", "exec and attach are for WebSockets and SPDY/3.1");
  }

  #podOf(namespace: string, name: string): StreamedPod {
    const pod = this.#settings.pods.get(`${namespace}/${name}`);
    if (pod !== undefined) return pod;
    throw new AgentFault("NOT_FOUND", `this node has no pod ${namespace}/${name}`);
  }
}

function execOf(pod: StreamedPod, container: string, query: URLSearchParams): () => Promise<ContainerProcess> {
  const command = query.getAll("command");
  if (command.length === 0 || command.length > argumentsMax || command.some((word) => word.includes("\0"))) {
    throw new AgentFault("BAD_REQUEST", "name a command: ?command=WORD for each of its words");
  }
  const [env, user, workingDir] = [query.getAll("env"), query.get("user"), query.get("workingDir")];
  const wordy = [...env, user ?? "", workingDir ?? ""];
  if (env.length > argumentsMax || wordy.some((word) => word.includes("\0")) || workingDir?.startsWith("/") === false) {
    throw new AgentFault("BAD_REQUEST", "env is NAME=value, workingDir an absolute path");
  }
  const request = {
    ...{ command, terminal: isTrue(query, "tty") },
    ...(env.length === 0 ? {} : { env }),
    ...(user === null ? {} : { user }),
    ...(workingDir === null ? {} : { workingDir }),
  };
  return () => pod.exec(container, request);
}

const attachOf =
  (pod: StreamedPod, container: string, query: URLSearchParams): (() => Promise<ContainerProcess>) =>
  async () => {
    const process = await pod.attach(container, { stdin: isTrue(query, "stdin") });
    // As the kubelet tells it: what was joined is over, and that is a success. `kubectl run` reads the code off the pod.
    return { ...process, ended: process.ended.then(() => 0) };
  };

function dial(pod: StreamedPod, port: number): ReturnType<DialPort> {
  if (pod.ports !== undefined) return pod.ports.dial(port);
  throw new AgentFault("POD_UNREACHABLE", `pod ${pod.key} does not run`);
}

/** @throws AgentFault BAD_REQUEST */
function streamOptions(query: URLSearchParams): StreamOptions {
  const tty = isTrue(query, "tty");
  const options = {
    stdin: isTrue(query, "stdin"),
    stdout: isTrue(query, "stdout"),
    stderr: isTrue(query, "stderr") && !tty,
    tty,
  };
  if (options.stdin || options.stdout || options.stderr) return options;
  throw new AgentFault("BAD_REQUEST", "you must specify at least 1 of stdin, stdout, stderr");
}

const isTrue = (query: URLSearchParams, name: string): boolean => ["true", "1"].includes(query.get(name) ?? "");
