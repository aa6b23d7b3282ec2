import type { HttpsClient } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { type Call, noContent, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { matchesFilters } from "./container-filters.ts";
import {
  containerInspection,
  containerSummary,
  type ContainerView,
  type ViewContext,
  withChecks,
} from "./container-json.ts";
import { containerSizes } from "../disk-usage.ts";
import { hasProgram, isActive } from "./container-state.ts";
import type { DockerContainer } from "./containers.ts";
import { createContainer, type CreateParts } from "./create.ts";
import { checkContainerName, parseCreateBody } from "./create-body.ts";
import { healthLog } from "./health-log.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { localProcess } from "./local-process.ts";

export interface ContainerParts extends CreateParts {
  readonly client: HttpsClient;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
}

/** Lists, inspects, makes, starts, stops and removes containers. */
export function containerRoutes(parts: ContainerParts): Routes {
  const { containers, lifecycle } = parts;
  const one = (call: Call): DockerContainer => containers.find(call.param("id"));
  const act =
    (what: (container: DockerContainer, call: Call) => Promise<void>) =>
    async (call: Call): Promise<Reply> => {
      await what(one(call), call);
      return noContent;
    };
  return {
    "GET /containers/json": (call) => list(parts, call),
    "POST /containers/create": (call) => createContainer(parts, call),
    "POST /containers/prune": (call) => prune(parts, call),
    "GET /containers/:id/json": (call) => inspect(parts, one(call), call),
    "POST /containers/:id/start": act((container) => startOrRemove(parts, container)),
    "POST /containers/:id/stop": act((container, call) => lifecycle.stop(container, stopOptions(call))),
    "POST /containers/:id/restart": act((container, call) => lifecycle.restart(container, stopOptions(call))),
    "POST /containers/:id/kill": act((container, call) => lifecycle.kill(container, call.text("signal") ?? "")),
    "POST /containers/:id/rename": act((container, call) => rename(parts, container, call)),
    "POST /containers/:id/wait": (call) => wait(one(call), call),
    "DELETE /containers/:id": act((container, call) =>
      remove(parts, container, { force: call.flag("force"), volumes: call.flag("v") }),
    ),
  };
}

export const contextOf = ({
  clock,
  volumes,
  networks,
}: Pick<ContainerParts, "clock" | "volumes" | "networks">): ViewContext => ({
  nowMs: clock.wallMs(),
  volumePath: (name) => volumes.path(name),
  networkId: (name) => networks.idOf(name),
});

function stopOptions(call: Call): { readonly seconds?: number; readonly signal?: string } {
  const seconds = call.text("t") === "-1" ? 24 * 3600 : call.count("t");
  const signal = call.text("signal");
  return { ...(seconds === undefined ? {} : { seconds }), ...(signal === undefined ? {} : { signal }) };
}

async function inspect(parts: ContainerParts, container: DockerContainer, call: Call): Promise<Reply> {
  const { library, nodeDirectory } = parts;
  const { pod, state } = container;
  const process = pod === undefined || !hasProgram(state) ? undefined : await localProcess(nodeDirectory, pod);
  const sizes = call.flag("size")
    ? await containerSizes(container, { nodeDirectory, images: await library.all() })
    : {};
  const live = { pid: process?.pid ?? 0, checks: await healthLog(parts, container, call.signal) };
  return ok({ ...containerInspection(container, contextOf(parts), live), ...sizes });
}

async function list(parts: ContainerParts, call: Call): Promise<Reply> {
  const filters = call.filters();
  const limit = call.count("limit") ?? 0;
  const isAll = call.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
  const context = contextOf(parts);
  const listed = parts.containers.all().filter(({ state }) => isAll || isActive(state));
  const seen = await Promise.all(
    listed.map(async (container) => ({ container, view: await withHealth(parts, container, call.signal) })),
  );
  const shown = seen
    .filter(({ view }) => matchesFilters(view, filters, parts))
    .toSorted((a, b) => (a.view.record.createdAt < b.view.record.createdAt ? 1 : -1));
  const wanted = limit > 0 ? shown.slice(0, limit) : shown;
  if (!call.flag("size")) return ok(wanted.map(({ view }) => containerSummary(view, context)));
  const sizing = { nodeDirectory: parts.nodeDirectory, images: await parts.library.all() };
  const sized = wanted.map(async ({ container, view }) => ({
    ...containerSummary(view, context),
    ...(await containerSizes(container, sizing)),
  }));
  return ok(await Promise.all(sized));
}

/** Only of one that has yet to be found healthy or not is its node asked. */
async function withHealth(
  parts: ContainerParts,
  container: DockerContainer,
  signal: AbortSignal,
): Promise<ContainerView> {
  if (container.state.health !== "starting") return container;
  return withChecks(container, await healthLog(parts, container, signal));
}

/** A start that failed leaves no container that was to go by itself. */
async function startOrRemove(parts: ContainerParts, container: DockerContainer): Promise<void> {
  try {
    await parts.lifecycle.start(container);
  } catch (error) {
    const isOver = error instanceof DockerFault && error.code !== "NOT_MODIFIED";
    if (isOver && parseCreateBody(container.record.body).autoRemove && !container.isRemoved) {
      await remove(parts, container, { force: true, volumes: true });
    }
    throw error;
  }
}

/** Removes a container, and with `volumes` those that only it had a use for. */
export async function remove(
  { lifecycle, volumes }: Pick<ContainerParts, "lifecycle" | "volumes">,
  container: DockerContainer,
  options: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  await lifecycle.remove(container, options);
  if (!options.volumes) return;
  for (const volume of volumes.madeFor(container.record.id)) await volumes.remove(volume);
}

async function rename({ containers }: ContainerParts, container: DockerContainer, call: Call): Promise<void> {
  const name = checkContainerName((call.text("name") ?? "").replace(/^\//, ""));
  const other = containers.named(name);
  if (other === container)
    throw new DockerFault("BAD_REQUEST", "Renaming a container with the same name as its current name");
  if (other !== undefined) {
    throw new DockerFault(
      "CONFLICT",
      `Conflict. The container name "/${name}" is already in use by container "${other.record.id}".`,
    );
  }
  const before = container.record.name;
  await containers.update(container, { name });
  containers.tell(container, "rename", { oldName: `/${before}` });
}

/** The head of the answer goes out at once: a client starts the container when it has that. */
async function wait(container: DockerContainer, call: Call): Promise<void> {
  const condition = call.text("condition") ?? "not-running";
  if (!["not-running", "next-exit", "removed"].includes(condition)) {
    throw new DockerFault("BAD_REQUEST", `invalid condition: ${JSON.stringify(condition.slice(0, 40))}`);
  }
  const run = container.record.ended?.run;
  const output = call.stream("application/json");
  const isOver = (one: DockerContainer): boolean => {
    if (condition === "removed") return one.isRemoved;
    if (one.isRemoved) return true;
    return isActive(one.state) ? false : condition === "not-running" || one.record.ended?.run !== run;
  };
  await container.until(isOver, call.signal);
  // Without words about an error: a client would end with a code of its own then, and not with the program's.
  output.end(`${JSON.stringify({ StatusCode: container.record.ended?.exitCode ?? 0 })}\n`);
}

async function prune(parts: ContainerParts, call: Call): Promise<Reply> {
  const filters = call.filters();
  const gone: string[] = [];
  for (const container of parts.containers.all()) {
    const { name } = container.state;
    if ((name !== "exited" && name !== "created") || !matchesFilters(container, filters, parts)) continue;
    await remove(parts, container, { force: false, volumes: false });
    gone.push(container.record.id);
  }
  return ok({ ContainersDeleted: gone, SpaceReclaimed: 0 });
}
