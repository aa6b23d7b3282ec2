import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { type Clock, describeError } from "@shallop/sdk/internal";
import type { Action } from "./container-launch.ts";
import type { ContainerRun } from "./container-run.ts";

/** What a probe is told at most of an answer or of a command's output; the kubelet reads 10 KiB. */
const saidBytesMax = 10 * 1024;

/** What came of a probe or a hook. */
export interface Outcome {
  /** Why it failed; undefined: it succeeded. */
  readonly failure: string | undefined;
  /** Of a command: what it said, and its exit code. */
  readonly said?: string;
  readonly exitCode?: number;
}

const success: Outcome = { failure: undefined };

/** Carries out a probe or a hook. */
export async function carryOut(
  action: Action,
  run: ContainerRun,
  { clock, timeoutMs, signal }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Outcome> {
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort(new Error(`no answer within ${String(timeoutMs / 1000)} s`)));
  try {
    return await outcomeOf(action, run, AbortSignal.any([signal, late.signal]), clock);
  } catch (error) {
    return { failure: describeError(late.signal.aborted ? late.signal.reason : error) };
  } finally {
    timer.cancel();
  }
}

function outcomeOf(action: Action, run: ContainerRun, signal: AbortSignal, clock: Clock): Promise<Outcome> {
  switch (action.kind) {
    case "exec":
      return byCommand(action.command, run, signal);
    case "http":
      return byHttp(action, action.host ?? run.address, signal);
    case "tcp":
      return byTcp(action.port, action.host ?? run.address, signal);
    case "grpc":
      return byGrpc(action, run.address, signal);
    case "sleep":
      return clock.sleep(action.durationMs, signal).then(() => success);
    default:
      return action satisfies never;
  }
}

async function byCommand(command: readonly string[], run: ContainerRun, signal: AbortSignal): Promise<Outcome> {
  const process = await run.exec(command);
  let said = "";
  for (const stream of [process.stdout, process.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      if (said.length < saidBytesMax) said += chunk.toString("utf8");
    });
  }
  process.stdin?.end();
  const leave = (): void => process.leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    const exitCode = await Promise.race([process.ended, untilAborted(signal)]);
    const failure = exitCode === 0 ? undefined : `exit code ${String(exitCode)}: ${said.trim()}`;
    return { failure, said, exitCode };
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });

/** 200 to 399 is a success. */
function byHttp(
  { port, path, scheme, headers }: Action & { readonly kind: "http" },
  host: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const request = scheme === "https" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = request({
      host,
      port,
      path,
      signal,
      agent: false,
      // As the kubelet: whoever asks a container of this node's own makes no use of who it says it is.
      rejectUnauthorized: false,
      headers: {
        "user-agent": "kube-probe/1.33",
        accept: "*/*",
        ...Object.fromEntries(headers.map((h) => [h.name, h.value])),
      },
    });
    call.once("response", (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      const isGood = statusCode >= 200 && statusCode < 400;
      resolve(isGood ? success : { failure: `HTTP status ${String(statusCode)}` });
    });
    call.once("error", reject);
    call.end();
  });
}

function byTcp(port: number, host: string, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("connect", () => {
      socket.destroy();
      resolve(success);
    });
    socket.once("error", reject);
  });
}

// grpc.health.v1.HealthCheckResponse.ServingStatus.
const serving = 1;

/** grpc.health.v1.Health/Check: a message of one string there, of one number back. */
function byGrpc(
  { port, service }: Action & { readonly kind: "grpc" },
  host: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const session = connectHttp2(`http://${host}:${String(port)}`);
  const close = (): void => session.destroy();
  signal.addEventListener("abort", close, { once: true });
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a, name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return new Promise<Outcome>((resolve, reject) => {
    session.once("error", reject);
    session.once("close", () => reject(new Error("the connection was closed")));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => {
      if (chunks.length < saidBytesMax) chunks.push(chunk);
    });
    stream.once("error", reject);
    stream.once("end", () => {
      const answer = Buffer.concat(chunks).subarray(5);
      // Field 1, a varint: 08 01.
      const status = answer[0] === 0x08 ? answer[1] : 0;
      resolve(status === serving ? success : { failure: `health status ${String(status ?? 0)}` });
    });
    stream.end(Buffer.concat([head, message]));
  }).finally(() => {
    signal.removeEventListener("abort", close);
    close();
  });
}
