import { join } from "node:path";
import type { Pod } from "@shallop/sdk/api";
import { type HttpsClient, podLogs, type PodLogSelection } from "@shallop/sdk/client";
import { type Clock, LineSplitter, type Log } from "@shallop/sdk/internal";
import { type LogQuery, readLogs } from "../../pod/log-reader.ts";
import { keptLog } from "../../pod/log-store.ts";
import { logBounds } from "../../pod/pod-log.ts";
import type { ContainerOutput, StreamKind } from "../http/raw-frames.ts";
import type { ContainerView } from "./container-json.ts";
import type { ContainerRecord } from "./container-record.ts";
import { dockerNamespace, podContainer } from "./pod-spec.ts";

/** A piece of what a container has written: a line, or a part of a long one. */
interface LogPiece {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly kind: StreamKind;
  readonly text: string;
}

export interface LogWish {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** The node cuts lines at 16 KiB, with 60 bytes of time and stream before them. */
const lineBytesMax = 64 * 1024;
const storedLine = /^(\S+) (stdout|stderr) ([FP])(?::\S*)? ?(.*)$/s;

export interface LogSources {
  readonly client: HttpsClient;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Writes a container's log to a client; with `follow` until the container has ended for good, or the signal is aborted. A container
 * with a terminal has its lines ended as terminals have it. @throws ApiFault
 */
export async function writeLog(
  sources: LogSources,
  container: Pick<ContainerView, "record" | "pod">,
  wish: LogWish,
  to: { readonly output: ContainerOutput; readonly signal: AbortSignal },
): Promise<void> {
  const { pod, record } = container;
  const chunks =
    pod === undefined ? keptChunks(sources, record, wish, to.signal) : podChunks(sources, pod, wish, to.signal);
  for await (const { kind, text, time } of pieces(chunks)) {
    if (wish.untilMs !== undefined && Date.parse(time) > wish.untilMs) return;
    if (!(kind === "stderr" ? wish.stderr : wish.stdout)) continue;
    await to.output.write(kind, Buffer.from(wish.timestamps ? `${time} ${text}` : text), to.signal);
  }
}

function podChunks(
  { client }: LogSources,
  { metadata: { namespace = "", name } }: Pod,
  { follow, tailLines, sinceMs }: LogWish,
  signal: AbortSignal,
): AsyncIterable<Uint8Array | string> {
  const selection: PodLogSelection = {
    ...{ format: "cri", follow },
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceMs === undefined ? {} : { sinceTime: new Date(sinceMs).toISOString() }),
  };
  return podLogs(client, { namespace, name }, selection, signal);
}

/** What it has said while it had a pod: the API tells of pods alone, the node's files are there still. */
async function* keptChunks(
  { nodeDirectory, clock, log }: LogSources,
  { id }: ContainerRecord,
  { tailLines, sinceMs }: LogWish,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const subject = { namespace: dockerNamespace, container: podContainer, continued: id };
  const kept = await keptLog(join(nodeDirectory, "logs"), subject, { bounds: logBounds, clock, log });
  if (kept === undefined) return;
  const query: LogQuery = {
    ...{ follow: false, previous: false, timestamps: false, prefix: false, form: "cri" },
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceMs === undefined ? {} : { sinceWallMs: sinceMs }),
  };
  yield* readLogs({ logs: [kept] }, query, signal);
}

async function* pieces(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<LogPiece, void, undefined> {
  let lines: string[] = [];
  const splitter = new LineSplitter(lineBytesMax, (text) => void lines.push(text));
  for await (const chunk of chunks) {
    splitter.push(Buffer.from(chunk));
    const now = lines;
    lines = [];
    for (const line of now) {
      const piece = parsePiece(line);
      if (piece !== undefined) yield piece;
    }
  }
}

/** `2026-01-01T00:00:05.000000000Z stdout F hello`. */
function parsePiece(line: string): LogPiece | undefined {
  const [, time, stream, tag, text = ""] = storedLine.exec(line) ?? [];
  if (time === undefined) return undefined;
  return { time, kind: stream === "stderr" ? "stderr" : "stdout", text: tag === "F" ? `${text}\n` : text };
}
