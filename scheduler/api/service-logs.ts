import { annotation, kindOf, nodes, services, textAt, type KindDefinition } from "@shallop/sdk/api";
import { assert, describeError, LineSplitter } from "@shallop/sdk/internal";
import type { LogForm } from "@shallop/sdk/wire";
import { EventQueue } from "./event-queue.ts";
import type { Machinery } from "./machinery.ts";
import type { AgentAddress } from "./agent-link.ts";
import type { PodLogs, ServiceLogRequest } from "./pod-logs.ts";
import { existing } from "./read.ts";

// A longer line of text is handed on in pieces. An object is none in pieces: a node's longest line, each byte of it escaped.
const lineBytesMax = { text: 16 * 1024, cri: 68 * 1024, json: 400 * 1024 } as const satisfies Record<LogForm, number>;
// Lines that all nodes together may have waiting for a client that reads slowly; then the stream ends.
const linesWaitingMax = 10_000;
// What is merged by time is held in memory: the last lines of each node, unless the client asks for fewer.
const tailLinesDefault = 1000;
const tailLinesMax = 10_000;
// While following: how often nodes are looked at that have come since, or come back.
const nodesIntervalMs = 5000;

const kindOfNodes = (): KindDefinition => {
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  return kind;
};

/** Every node that says where its agent is. */
function agentsOf(machinery: Machinery): AgentAddress[] {
  const { objects } = machinery;
  return objects.store.list(objects.prefix(kindOfNodes())).entries.flatMap((entry) => {
    const node = objects.parse(entry);
    const address = textAt(node, "metadata", "annotations", annotation.agentAddress);
    return address === undefined ? [] : [{ node: node.metadata.name, address }];
  });
}

interface LogLine {
  /** RFC 3339; that of the line before when the line has none. */
  readonly time: string;
  /** The line as it was sent, and without its time. */
  readonly timed: string;
  readonly text: string;
}

/**
 * Log lines of a service from all nodes: merged by time, or, while following, as they come; nodes that join meanwhile
 * are asked too. A node that cannot be reached is named in a line of its own. `timestamps` keeps the time on each line.
 * @throws ApiFault NotFound when the service is not there
 */
export function serviceLogs(
  machinery: Machinery,
  logs: PodLogs,
  request: ServiceLogRequest & { readonly timestamps: boolean },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const kind = kindOf(services);
  assert(kind !== undefined, "services are served");
  existing(machinery, { kind, namespace: request.namespace, name: request.service });
  const bounded = { ...request, tailLines: Math.min(request.tailLines ?? tailLinesDefault, tailLinesMax) };
  const lines = request.follow ? followed(machinery, logs, bounded, signal) : merged(machinery, logs, bounded, signal);
  return encoded(lines, request.timestamps);
}

async function* encoded(
  batches: AsyncIterable<readonly LogLine[]>,
  timestamps: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const batch of batches) {
    yield Buffer.from(batch.map((line) => `${timestamps ? line.timed : line.text}\n`).join(""));
  }
}

async function* merged(
  machinery: Machinery,
  logs: PodLogs,
  request: ServiceLogRequest & { readonly tailLines: number },
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[], void, undefined> {
  const perNode = await Promise.all(
    agentsOf(machinery).map(async (agent) => {
      const lines: LogLine[] = [];
      await readLines(logs, agent, { request, signal, take: (line) => void lines.push(line) });
      return lines.slice(-request.tailLines);
    }),
  );
  // Each node's lines are in order; a stable sort by time keeps lines of one time so.
  yield perNode
    .flat()
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    .slice(-request.tailLines);
}

async function* followed(
  machinery: Machinery,
  logs: PodLogs,
  request: ServiceLogRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[], void, undefined> {
  const queue = new EventQueue<LogLine>(linesWaitingMax);
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const following = new Map<string, Promise<void>>();
  // A node whose lines came once is asked only for new ones; a fault is told once until it is over.
  const begun = new Set<string>();
  const failing = new Set<string>();
  const followNode = async (agent: AgentAddress): Promise<void> => {
    const wasRead = await readLines(logs, agent, {
      request: begun.has(agent.node) ? { ...request, tailLines: 0 } : request,
      signal: both,
      take: (line, isFault) => {
        if (!isFault) begun.add(agent.node);
        if (!isFault || !failing.has(agent.node)) queue.push(line);
      },
    });
    if (wasRead) failing.delete(agent.node);
    else failing.add(agent.node);
    following.delete(agent.node);
  };
  const follow = (): void => {
    for (const agent of agentsOf(machinery)) {
      if (!following.has(agent.node)) following.set(agent.node, followNode(agent));
    }
  };
  follow();
  const timer = machinery.clock.every(nodesIntervalMs, follow);
  const close = (): void => queue.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    for (let batch = await queue.take(); batch !== undefined; batch = await queue.take()) yield batch;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", close);
    ended.abort(new Error("the client has what it wants"));
    await Promise.all(following.values());
  }
}

interface Reading {
  readonly request: ServiceLogRequest;
  readonly signal: AbortSignal;
  /** `isFault`: the line tells that the node cannot be read. */
  readonly take: (line: LogLine, isFault: boolean) => void;
}

/**
 * Hands on the lines of one node until its stream ends. Never rejects: what goes wrong becomes a line.
 * Resolves with whether the node could be read.
 */
async function readLines(logs: PodLogs, agent: AgentAddress, { request, signal, take }: Reading): Promise<boolean> {
  let time = "";
  const splitter = new LineSplitter(lineBytesMax[request.form], (timed) => {
    const line = request.form === "text" ? textLine(timed, time) : recordLine(timed, time);
    time = line.time;
    take(line, false);
  });
  try {
    for await (const chunk of await logs.service(agent, request, signal)) splitter.push(chunk);
    splitter.end();
    return true;
  } catch (error) {
    if (!signal.aborted) take(faultLine(agent.node, describeError(error), { time, form: request.form }), true);
    return false;
  }
}

function textLine(timed: string, before: string): LogLine {
  const match = /^(\[pod\/[^\]]+\] )?(\d{4}-\d\d-\d\dT[\d:.]+Z) /.exec(timed);
  const text = match === null ? timed : (match[1] ?? "") + timed.slice(match[0].length);
  return { time: match?.[2] ?? before, timed, text };
}

/** One that has its time with it, and is not cut. */
function recordLine(text: string, before: string): LogLine {
  const match = /^(?:\{"time":")?(\d{4}-\d\d-\d\dT[\d:.]+Z)/.exec(text);
  return { time: match?.[1] ?? before, timed: text, text };
}

/** That a node's lines are missing, in the form of those that are there. */
function faultLine(
  node: string,
  reason: string,
  { time, form }: { readonly time: string; readonly form: LogForm },
): LogLine {
  const message = `logs are missing here: ${reason}`;
  const text = form === "json" ? JSON.stringify({ node, message }) : `[node ${node}: ${message}]`;
  return { time, timed: text, text };
}
