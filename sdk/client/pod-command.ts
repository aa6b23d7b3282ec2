import type { Readable, Writable } from "node:stream";
import { WebSocket } from "ws";
import { ApiFault } from "../api/fault.ts";
import { dig, isJsonObject, listAt, textAt } from "../api/json.ts";
import { describeError } from "../internal/fault.ts";
import type { Credentials } from "./credentials.ts";
import { segment } from "./paths.ts";
import { faultOfStatus } from "./status-fault.ts";

/** What runs in a container of a pod: a command beside its program, or its program itself. */
export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  /** Undefined: the pod's only one. */
  readonly container?: string;
  /** Undefined: attach to the program that runs. */
  readonly command?: readonly string[];
  readonly terminal: boolean;
  /** Variables beside the container's own, `NAME=value`; another user, another directory. Not with attach; ours. */
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
}

export interface PodCommandStreams {
  /** Undefined: nothing is to be read. */
  readonly stdin?: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Calls back with the terminal's size, now and whenever it changes. */
  onSize?(resized: (columns: number, rows: number) => void): void;
  /** Ends it: the connection is dropped, and a command is hung up. */
  readonly signal?: AbortSignal;
}

const protocol = "v5.channel.k8s.io";
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
// What may lie here of standard input on its way out; its reader waits meanwhile.
const unsentBytesMax = 1 << 20;
// A refusal is a Status of a sentence.
const refusalBytesMax = 64 * 1024;

/**
 * Runs it to its end, with these streams. Resolves with its exit code; 0 after an attach that ended.
 * @throws ApiFault when it is refused or could not be run
 */
export function runPodCommand(
  credentials: Credentials,
  command: PodCommand,
  streams: PodCommandStreams,
): Promise<number> {
  const webSocket = new WebSocket(urlOf(credentials, command, streams), [protocol], {
    perMessageDeflate: false,
    ...(credentials.token === undefined ? {} : { headers: { authorization: `Bearer ${credentials.token}` } }),
    ...(credentials.authority === undefined ? {} : { ca: credentials.authority }),
    ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate, key: credentials.key }),
  });
  let status = "";
  const send = (to: number, body: Uint8Array, sent?: () => void): void =>
    webSocket.send(Buffer.concat([Buffer.of(to), body]), () => sent?.());
  const take = (output: Writable, body: Uint8Array): void => {
    if (output.write(body)) return;
    webSocket.pause();
    output.once("drain", () => webSocket.resume());
  };
  streams.signal?.addEventListener("abort", () => webSocket.terminate(), { once: true });
  return new Promise((resolve, reject) => {
    webSocket.once("open", () => {
      const { stdin } = streams;
      stdin?.on("data", (chunk: Buffer) => {
        send(channel.stdin, chunk, () => void stdin.resume());
        if (webSocket.bufferedAmount > unsentBytesMax) stdin.pause();
      });
      streams.stdin?.once("end", () => send(channel.close, Buffer.of(channel.stdin)));
      streams.onSize?.((Width, Height) => send(channel.resize, Buffer.from(JSON.stringify({ Width, Height }))));
    });
    webSocket.on("message", (message: Buffer) => {
      const body = message.subarray(1);
      if (message[0] === channel.stdout) take(streams.stdout, body);
      else if (message[0] === channel.stderr) take(streams.stderr, body);
      else if (message[0] === channel.error) status += body.toString("utf8");
    });
    webSocket.once("unexpected-response", (_, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        if (text.length < refusalBytesMax) text += chunk.toString("utf8");
      });
      response.once("end", () => reject(faultOfStatus(parsed(text))));
    });
    webSocket.once("error", (error) =>
      reject(new ApiFault("ServiceUnavailable", `the API server cannot be reached: ${describeError(error)}`)),
    );
    webSocket.once("close", () => {
      try {
        resolve(exitCodeOf(status));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function urlOf({ server }: Credentials, command: PodCommand, streams: PodCommandStreams): URL {
  const { namespace, pod, container, command: words, terminal } = command;
  const act = words === undefined ? "attach" : "exec";
  const path = `/api/v1/namespaces/${segment(namespace, "namespace")}/pods/${segment(pod, "pod")}/${act}`;
  const url = new URL(path, server.replace(/^http/, "ws"));
  for (const word of words ?? []) url.searchParams.append("command", word);
  for (const text of command.env ?? []) url.searchParams.append("env", text);
  if (command.user !== undefined) url.searchParams.set("user", command.user);
  if (command.workingDir !== undefined) url.searchParams.set("workingDir", command.workingDir);
  if (container !== undefined) url.searchParams.set("container", container);
  url.searchParams.set("stdout", "true");
  if (streams.stdin !== undefined) url.searchParams.set("stdin", "true");
  if (terminal) url.searchParams.set("tty", "true");
  else url.searchParams.set("stderr", "true");
  return url;
}

/** Out of the Status that a command ends with. @throws ApiFault when it could not be run */
function exitCodeOf(text: string): number {
  const status = parsed(text);
  if (textAt(status, "status") === "Success") return 0;
  if (textAt(status, "reason") === "NonZeroExitCode") {
    const causes = listAt(status, "details", "causes");
    const code = Number(textAt(causes.find((cause) => dig(cause, "reason") === "ExitCode") ?? null, "message"));
    if (Number.isInteger(code)) return code;
  }
  throw text === "" ? new ApiFault("ServiceUnavailable", "the connection to the pod broke") : faultOfStatus(status);
}

function parsed(text: string): Parameters<typeof faultOfStatus>[0] {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // Shown as it is.
  }
  return { status: "Failure", message: text.slice(0, 500), reason: "InternalError", code: 500 };
}
