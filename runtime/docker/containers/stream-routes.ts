import { PassThrough } from "node:stream";
import { type Credentials, runPodCommand } from "@shallop/sdk/client";
import { describeError } from "@shallop/sdk/internal";
import { eventTimeMs } from "../event-log.ts";
import { type Call, noContent, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { ContainerOutput, framedType, rawType } from "../http/raw-frames.ts";
import type { Routes } from "../http/router.ts";
import { type LogSources, type LogWish, writeLog } from "./container-log.ts";
import { isActive } from "./container-state.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import { parseCreateBody } from "./create-body.ts";
import { dockerNamespace, podContainer } from "./pod-spec.ts";
import { type Terminals } from "./terminals.ts";

export interface StreamParts extends LogSources {
  readonly containers: Containers;
  readonly credentials: Credentials;
  readonly terminals: Terminals;
}

/** `docker logs`, and the size of a container's own terminal. */
export function logRoutes(parts: StreamParts): Routes {
  return {
    "GET /containers/:id/logs": (call) => logs(parts, call),
    "POST /containers/:id/resize": (call) => resize(parts, call),
  };
}

/** `docker attach`, and the foreground of `docker run`. */
export function attachRoutes(parts: StreamParts): Routes {
  return { "POST /containers/:id/attach": (call) => attach(parts, call) };
}

async function logs(parts: StreamParts, call: Call): Promise<void> {
  const container = parts.containers.find(call.param("id"));
  const [stdout, stderr] = [call.flag("stdout"), call.flag("stderr")];
  if (!stdout && !stderr) throw new DockerFault("BAD_REQUEST", "Bad parameters: you must choose at least one stream");
  const isRaw = parseCreateBody(container.record.body).tty;
  const tail = call.text("tail");
  const sinceMs = eventTimeMs(call.text("since")) ?? 0;
  const untilMs = eventTimeMs(call.text("until")) ?? 0;
  const wish: LogWish = {
    ...{ stdout, stderr, timestamps: call.flag("timestamps") },
    follow: call.flag("follow") && isActive(container.state),
    ...(tail !== undefined && /^\d{1,9}$/.test(tail) ? { tailLines: Number(tail) } : {}),
    ...(sinceMs > 0 ? { sinceMs } : {}),
    ...(untilMs > 0 ? { untilMs } : {}),
  };
  const output = call.stream(isRaw ? rawType : framedType);
  try {
    if (isActive(container.state) || container.record.ended !== undefined)
      await writeLog(parts, container, wish, { output: new ContainerOutput(output, isRaw), signal: call.signal });
  } finally {
    output.end();
  }
}

/** Both directions, or the output alone. Whoever attaches before the start sees everything. */
async function attach(parts: StreamParts, call: Call): Promise<void> {
  const container = parts.containers.find(call.param("id"));
  const request = parseCreateBody(container.record.body);
  const isLate = isActive(container.state);
  const before = container.pod?.metadata.uid;
  const calledMs = parts.clock.wallMs();
  const { input, output: raw } = call.hijack(request.tty ? rawType : framedType);
  parts.containers.tell(container, "attach");
  const output = new ContainerOutput(raw, request.tty);
  using _reading = container.reading();
  const isThere = (one: DockerContainer): boolean =>
    one.isRemoved || (one.pod !== undefined && (isLate || one.pod.metadata.uid !== before) && hasBegun(one));
  await container.until(isThere, call.signal);
  const { pod } = container;
  if (pod === undefined) return;
  const takesInput = call.flag("stdin") && request.openStdin;
  if (!takesInput) input.on("data", () => undefined);
  if (!isLate || !call.flag("logs")) {
    const done = await interactive(parts, container, { call, input: takesInput ? input : undefined, output });
    if (done) return;
  }
  const wish: LogWish = {
    ...{ follow: true, stdout: call.flag("stdout"), stderr: call.flag("stderr"), timestamps: false },
    ...(isLate ? (call.flag("logs") ? {} : { tailLines: 0 }) : { sinceMs: calledMs }),
  };
  await writeLog(parts, { pod, record: container.record }, wish, { output, signal: call.signal });
}

const hasBegun = ({ state, pod, record }: DockerContainer): boolean =>
  isActive(state) || (pod !== undefined && record.ended?.run.startsWith(`${pod.metadata.uid}/`) === true);

/** Joins the program itself. @returns false when it has ended already: what is left of it is its log */
async function interactive(
  { credentials, terminals, log }: StreamParts,
  container: DockerContainer,
  streams: { readonly call: Call; readonly input: NodeJS.ReadableStream | undefined; readonly output: ContainerOutput },
): Promise<boolean> {
  const { call, input, output } = streams;
  const { pod, record } = container;
  if (pod === undefined || !isActive(container.state)) return false;
  const stdin = new PassThrough();
  input?.pipe(stdin);
  try {
    await runPodCommand(
      credentials,
      {
        namespace: dockerNamespace,
        pod: pod.metadata.name,
        container: podContainer,
        terminal: parseCreateBody(record.body).tty,
      },
      {
        ...(input === undefined ? {} : { stdin }),
        stdout: output.writable("stdout", call.signal),
        stderr: output.writable("stderr", call.signal),
        onSize: (resized) => terminals.onSize(record.id, resized, call.signal),
        signal: call.signal,
      },
    );
    return true;
  } catch (error) {
    log.debug("a container could not be attached to", { id: record.id, error: describeError(error) });
    return false;
  }
}

function resize({ containers, terminals }: StreamParts, call: Call): Reply {
  const { record } = containers.find(call.param("id"));
  terminals.resize(record.id, { columns: call.count("w") ?? 0, rows: call.count("h") ?? 0 });
  return { ...noContent, status: 200 };
}
