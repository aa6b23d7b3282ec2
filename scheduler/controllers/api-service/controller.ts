import { type ApiObject, apiService, type CoreService } from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import type { Cluster, WatchedKind } from "../shared/cluster.ts";
import { same } from "../shared/same.ts";
import { type ApiServerEnd, planApiService, planApiSlice } from "./plan.ts";

const { namespace, name, address } = apiService;

/** Keeps the Service that leads to the API server, and its slice: made when they are missing, mended when somebody has changed them. */
export class ApiServiceController {
  readonly #cluster: Cluster;
  readonly #server: () => ApiServerEnd;

  constructor(cluster: Cluster, server: () => ApiServerEnd) {
    this.#cluster = cluster;
    this.#server = server;
  }

  /** Whether a change of this object is to be looked at. */
  static concerns(kind: WatchedKind, { metadata }: ApiObject): boolean {
    const isOurs = kind === "coreServices" || kind === "endpointSlices";
    return isOurs && metadata.namespace === namespace && metadata.name === name;
  }

  async reconcile(): Promise<undefined> {
    const server = this.#server();
    await this.#keepService(server);
    await this.#keepSlice(server);
  }

  async #keepService(server: ApiServerEnd): Promise<void> {
    const wanted = planApiService(server);
    const present = this.#cluster.of("coreServices").get(namespace, name);
    if (present === undefined)
      return withAddress((spec) =>
        this.#cluster.create("coreServices", { ...wanted, spec: { ...wanted.spec, ...spec } }),
      );
    if (present.metadata.deletionTimestamp !== undefined) return;
    const { type, ports, selector } = present.spec ?? {};
    if (selector === undefined && same({ type, ports }, { type: wanted.spec.type, ports: wanted.spec.ports })) return;
    const { selector: _chosen, externalName: _outside, ...kept } = present.spec ?? {};
    const mended = { ...kept, ...wanted.spec };
    // An address that it has it keeps.
    const write = (spec: CoreService["spec"]): Promise<unknown> =>
      this.#cluster.update("coreServices", { ...present, spec: { ...mended, ...spec } });
    if (kept.clusterIP === undefined) await withAddress(write);
    else await write({ clusterIP: kept.clusterIP });
  }

  async #keepSlice(server: ApiServerEnd): Promise<void> {
    const wanted = planApiSlice(server);
    const present = this.#cluster.of("endpointSlices").get(namespace, name);
    if (present === undefined) {
      await this.#cluster.create("endpointSlices", wanted);
      return;
    }
    if (present.metadata.deletionTimestamp !== undefined) return;
    const { addressType, endpoints, ports, metadata } = present;
    const { labels } = wanted.metadata;
    const isSame =
      same({ addressType, endpoints, ports }, pick(wanted)) &&
      Object.entries(labels ?? {}).every(([key, value]) => metadata.labels?.[key] === value);
    if (isSame) return;
    await this.#cluster.update("endpointSlices", {
      ...present,
      ...pick(wanted),
      metadata: { ...metadata, labels: { ...metadata.labels, ...labels } },
    });
  }
}

/** The address that it is to have, or any where somebody has that one, in a cluster of an earlier release. */
async function withAddress(write: (spec: NonNullable<CoreService["spec"]>) => Promise<unknown>): Promise<void> {
  try {
    await write({ clusterIP: address });
  } catch (error) {
    if (errorCode(error) !== "Invalid") throw error;
    await write({});
  }
}

const pick = ({ addressType, endpoints, ports }: ReturnType<typeof planApiSlice>) => ({
  addressType,
  endpoints,
  ports,
});
