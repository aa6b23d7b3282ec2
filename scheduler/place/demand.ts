import { type Container, parseQuantity, type PodSpec, type ResourceList } from "@shallop/sdk/api";

/** What a pod takes of a node. */
export interface Demand {
  /** Cores. */
  readonly cpu: number;
  readonly memoryBytes: number;
}

/** Resources of a node: all of it, or what its pods have taken. */
export interface Amounts extends Demand {
  readonly pods: number;
}

export const nothingTaken: Amounts = { cpu: 0, memoryBytes: 0, pods: 0 };

/**
 * Requests of a container that names none. An instance of a component that waits has no stack of its own and a few
 * MiB of memory; 32 MiB is what an idle native server needs, and what node agents count too. 10m keeps processors from
 * being the bound for pods that mostly wait: two cores hold 200 of them, more than a node takes by number.
 */
const defaultRequests = { cpu: "10m", memory: "32Mi" } as const;

const amount = (list: ResourceList | undefined, name: string): number | undefined => {
  const quantity = list?.[name];
  return quantity === undefined ? undefined : parseQuantity(quantity);
};

/** The requests that a container counts with: its own, else its limits (core/v1 defaulting), else the defaults above. */
function requestOf(container: Container, name: "cpu" | "memory"): number {
  const { requests, limits } = container.resources ?? {};
  return amount(requests, name) ?? amount(limits, name) ?? parseQuantity(defaultRequests[name]) ?? 0;
}

/** What all containers of a pod request together. */
export function demandOf(spec: Pick<PodSpec, "containers">): Demand {
  let cpu = 0;
  let memoryBytes = 0;
  for (const container of spec.containers) {
    cpu += requestOf(container, "cpu");
    memoryBytes += requestOf(container, "memory");
  }
  return { cpu, memoryBytes };
}

/** `container` with requests for what it names neither a request nor a limit of. */
export function withDefaultRequests(container: Container): Container {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const missing = Object.entries(defaultRequests).filter(
    ([name]) => requests[name] === undefined && limits[name] === undefined,
  );
  if (missing.length === 0) return container;
  return {
    ...container,
    resources: { ...container.resources, requests: { ...requests, ...Object.fromEntries(missing) } },
  };
}

export const plus = (taken: Amounts, { cpu, memoryBytes }: Demand): Amounts => ({
  cpu: taken.cpu + cpu,
  memoryBytes: taken.memoryBytes + memoryBytes,
  pods: taken.pods + 1,
});
