import type { Pod } from "@shallop/sdk/api";
import { type HttpsClient, podLogs, type PodLogSelection } from "@shallop/sdk/client";
import { LineSplitter } from "@shallop/sdk/internal";
import type { ContainerOutput, StreamKind } from "../http/raw-frames.ts";

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
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly untilMs?: number;
}

/** The node cuts lines at 16 KiB, with 60 bytes of time and stream before them. */
const lineBytesMax = 64 * 1024;
const storedLine = /^(\S+) (stdout|stderr) ([FP])(?::\S*)? ?(.*)$/s;

/**
 * Writes a pod's log to a client; with `follow` until the container has ended for good, or the signal is aborted. A container
 * with a terminal has its lines ended as terminals have it. @throws ApiFault
 */
export async function writeLog(
  client: HttpsClient,
  pod: Pod,
  wish: LogWish,
  to: { readonly output: ContainerOutput; readonly signal: AbortSignal },
): Promise<void> {
  for await (const { kind, text, time } of pieces(client, pod, wish, to.signal)) {
    if (wish.untilMs !== undefined && Date.parse(time) > wish.untilMs) return;
    if (!(kind === "stderr" ? wish.stderr : wish.stdout)) continue;
    await to.output.write(kind, Buffer.from(wish.timestamps ? `${time} ${text}` : text), to.signal);
  }
}

async function* pieces(
  client: HttpsClient,
  { metadata: { namespace = "", name } }: Pod,
  { follow, tailLines, sinceTime }: LogWish,
  signal: AbortSignal,
): AsyncGenerator<LogPiece, void, undefined> {
  const selection: PodLogSelection = {
    ...{ format: "cri", follow },
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
  };
  let lines: string[] = [];
  const splitter = new LineSplitter(lineBytesMax, (text) => void lines.push(text));
  for await (const chunk of podLogs(client, { namespace, name }, selection, signal)) {
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
