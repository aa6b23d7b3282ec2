import type { Clock, Log } from "@shallop/sdk/internal";
import type { Volumes } from "../volumes/volumes.ts";
import { remove } from "./container-routes.ts";
import { isActive, runCount } from "./container-state.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import { parseCreateBody } from "./create-body.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { PortProxies } from "./port-proxies.ts";

export interface EndParts {
  readonly containers: Containers;
  readonly lifecycle: Lifecycle;
  readonly ports: PortProxies;
  readonly volumes: Volumes;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Who reads the output of a container that goes by itself has this long after its end. */
const readersMsMax = 30_000;

/** What follows when containers begin and end: ports, retries that are used up, removal of those with `--rm`. */
export function watchEnds(parts: EndParts): void {
  const { containers, lifecycle, ports, log, signal } = parts;
  const tell = (container: DockerContainer) => (error: unknown) => {
    if (!signal.aborted)
      log.error("what follows a container's end could not be done", error, { id: container.record.id });
  };
  containers.onStarted = (container) => {
    // After a restart of this process nobody listens for what runs on.
    if (!ports.isOpen(container)) ports.open(container).catch(tell(container));
  };
  containers.onRestarting = (container) => {
    if (!isStartedAgain(container.record)) lifecycle.giveUp(container).catch(tell(container));
  };
  containers.onEnded = (container) => {
    ports.close(container);
    // Its pod's policy may be one that was updated since.
    if (isStartedAgain(container.record)) lifecycle.startAgain(container).catch(tell(container));
    if (parseCreateBody(container.record.body).autoRemove) removeWhenRead(parts, container).catch(tell(container));
  };
}

/** Whether the policy of now has it started again after the run that has ended, however its pod's is. Pure. */
export function isStartedAgain({ body, ended, stopped }: Pick<ContainerRecord, "body" | "ended" | "stopped">): boolean {
  const { name, retriesMax } = parseCreateBody(body).restart;
  if (stopped || ended === undefined) return false;
  switch (name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return ended.exitCode !== 0 && (retriesMax === 0 || runCount(ended) < retriesMax);
    default:
      return name satisfies never;
  }
}

async function removeWhenRead(parts: EndParts, container: DockerContainer): Promise<void> {
  const over = new AbortController();
  const timer = parts.clock.after(readersMsMax, () => over.abort(new Error("read for too long")));
  await container
    .until((one) => !one.isRead || one.isRemoved, AbortSignal.any([over.signal, parts.signal]))
    .catch(() => undefined);
  timer.cancel();
  if (container.isRemoved || isActive(container.state) || parts.signal.aborted) return;
  await remove(parts, container, { force: false, volumes: true });
}
