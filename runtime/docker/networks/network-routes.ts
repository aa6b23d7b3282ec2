import { isJsonObject, type JsonObject, listAt, objectAt, textAt, textsAt, dig } from "@shallop/sdk/api";
import { hasLabel } from "../containers/container-filters.ts";
import { checkNetworking } from "../containers/host-config.ts";
import { isActive } from "../containers/container-state.ts";
import type { Containers, DockerContainer } from "../containers/containers.ts";
import { type Call, created, type Filters, noContent, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { joinNow, type JoinParts } from "./join-now.ts";
import type { NetworkRecord, Networks } from "./networks.ts";

interface Parts extends JoinParts {
  readonly networks: Networks;
  readonly containers: Containers;
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** `docker network`. */
export function networkRoutes(parts: Parts): Routes {
  const { networks } = parts;
  return {
    "GET /networks": (call) => ok(matching(parts, call.filters()).map((network) => networkJson(parts, network, false))),
    "POST /networks/create": (call) => create(parts, call),
    "POST /networks/prune": (call) => prune(parts, call),
    "GET /networks/:id": (call) => ok(networkJson(parts, networks.find(call.param("id")), true)),
    "DELETE /networks/:id": (call) => remove(parts, call),
    "POST /networks/:id/connect": (call) => connect(parts, call),
    "POST /networks/:id/disconnect": (call) => disconnect(parts, call),
  };
}

const membersOf = ({ containers }: Parts, { name }: NetworkRecord): readonly DockerContainer[] =>
  containers.all().filter(({ record }) => Object.hasOwn(record.networks, name));

function networkJson(parts: Parts, network: NetworkRecord, isWhole: boolean): object {
  const { id, name, createdAt, driver, body } = network;
  const running = membersOf(parts, network).filter(({ state }) => isActive(state));
  const members = running.map(({ record, pod }) => [
    record.id,
    {
      Name: record.name,
      EndpointID: record.id,
      MacAddress: "",
      IPv4Address: pod?.status?.podIP === undefined ? "" : `${pod.status.podIP}/32`,
      IPv6Address: "",
    },
  ]);
  return {
    ...{ Name: name, Id: id, Created: createdAt, Scope: "local", Driver: driver, EnableIPv4: true, EnableIPv6: false },
    IPAM: { Driver: "default", Options: null, Config: listAt(body, "IPAM", "Config") },
    Internal: dig(body, "Internal") === true,
    ...{ Attachable: false, Ingress: false, ConfigFrom: { Network: "" }, ConfigOnly: false },
    Containers: isWhole ? Object.fromEntries(members) : {},
    Options: textsAt(body, "Options"),
    Labels: textsAt(body, "Labels"),
  };
}

function matching({ networks, containers }: Parts, filters: Filters): readonly NetworkRecord[] {
  const isUsed = ({ name }: NetworkRecord): boolean =>
    containers.all().some(({ record }) => Object.hasOwn(record.networks, name));
  const tests: Readonly<Record<string, (network: NetworkRecord, value: string) => boolean>> = {
    name: ({ name }, value) => name.includes(value.replace(/^\^/, "").replace(/\$$/, "")),
    id: ({ id }, value) => id.startsWith(value),
    driver: ({ driver }, value) => driver === value,
    label: ({ body }, value) => hasLabel(textsAt(body, "Labels"), value),
    scope: (_, value) => value === "local",
    type: (network, value) => (value === "builtin") === networks.isPredefined(network),
    dangling: (network, value) =>
      (value === "true" || value === "1") !== (isUsed(network) || networks.isPredefined(network)),
  };
  return networks.all().filter((network) =>
    [...filters].every(([name, values]) => {
      const test = tests[name];
      if (test === undefined) throw new DockerFault("BAD_REQUEST", `invalid filter '${name.slice(0, 60)}'`);
      const holds = (value: string): boolean => test(network, value);
      return values.length === 0 || (name === "label" ? values.every(holds) : values.some(holds));
    }),
  );
}

async function create({ networks }: Parts, call: Call): Promise<Reply> {
  const body = await call.body();
  const name = textAt(body, "Name") ?? "";
  if (!namePattern.test(name))
    throw new DockerFault("BAD_REQUEST", `invalid network name: ${JSON.stringify(name.slice(0, 80))}`);
  const given = textAt(body, "Driver") ?? "";
  const driver = given === "" || given === "default" ? "bridge" : given;
  if (driver !== "bridge")
    throw new DockerFault("UNSUPPORTED", `the network driver ${JSON.stringify(driver.slice(0, 60))}; there is bridge`);
  refuseUnkept(body);
  const { id } = await networks.create({ name, driver, body });
  return created({ Id: id, Warning: "" });
}

/** What a network here would not be, though it was asked for. @throws DockerFault UNSUPPORTED */
function refuseUnkept(body: JsonObject): void {
  const asked = [
    [dig(body, "Internal") === true, "--internal: for a container without a way out there is --network none"],
    [
      listAt(body, "IPAM", "Config").length > 0,
      "--subnet, --gateway, --ip-range: the node gives containers their addresses",
    ],
    [dig(body, "EnableIPv6") === true, "--ipv6"],
    [dig(body, "EnableIPv4") === false, "--ipv4=false"],
    [Object.keys(textsAt(body, "Options")).length > 0, "options of the network driver bridge"],
    [dig(body, "Ingress") === true || dig(body, "ConfigOnly") === true, "networks of a swarm"],
  ] as const;
  const found = asked.find(([isAsked]) => isAsked);
  if (found !== undefined) throw new DockerFault("UNSUPPORTED", `not supported: ${found[1]}`);
}

async function remove(parts: Parts, call: Call): Promise<Reply> {
  const network = parts.networks.find(call.param("id"));
  if (parts.networks.isPredefined(network))
    throw new DockerFault("CONFLICT", `${network.name} is a pre-defined network and cannot be removed`);
  const [user] = membersOf(parts, network).filter(({ state }) => isActive(state));
  if (user !== undefined) {
    throw new DockerFault(
      "CONFLICT",
      `error while removing network: network ${network.name} has active endpoints (name:"${user.record.name}")`,
    );
  }
  await parts.networks.remove(network);
  return noContent;
}

async function prune(parts: Parts, call: Call): Promise<Reply> {
  const filters: Filters = new Map([...call.filters()].filter(([name]) => name === "label"));
  const unused = matching(parts, filters).filter(
    (network) => !parts.networks.isPredefined(network) && membersOf(parts, network).length === 0,
  );
  for (const network of unused) await parts.networks.remove(network);
  return ok({ NetworksDeleted: unused.map(({ name }) => name) });
}

async function connect(parts: Parts, call: Call): Promise<Reply> {
  const { networks, containers } = parts;
  const network = networks.find(call.param("id"));
  const body = await call.body();
  const container = containers.find(textAt(body, "Container") ?? "");
  if (Object.hasOwn(container.record.networks, network.name)) {
    throw new DockerFault(
      "CONFLICT",
      `endpoint with name ${container.record.name} already exists in network ${network.name}`,
    );
  }
  const config = objectAt(body, "EndpointConfig");
  checkNetworking({ NetworkingConfig: { EndpointsConfig: { [network.name]: config } } });
  const aliases = isJsonObject(config) ? listAt(config, "Aliases").filter((alias) => typeof alias === "string") : [];
  if (Object.hasOwn(container.record.networks, "none") || network.name === "none")
    throw new DockerFault(
      "CONFLICT",
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
  await containers.update(container, { networks: { ...container.record.networks, [network.name]: aliases } });
  await joinNow(parts, container, call.signal);
  networks.tell(network, "connect", { container: container.record.id });
  return { status: 200 };
}

async function disconnect(parts: Parts, call: Call): Promise<Reply> {
  const { networks, containers } = parts;
  const network = networks.find(call.param("id"));
  const body = await call.body();
  const container = containers.find(textAt(body, "Container") ?? "");
  const { [network.name]: left, ...rest } = container.record.networks;
  if (left === undefined) {
    throw new DockerFault("CONFLICT", `container ${container.record.id} is not connected to network ${network.name}`);
  }
  await containers.update(container, { networks: rest });
  await joinNow(parts, container, call.signal);
  networks.tell(network, "disconnect", { container: container.record.id });
  return { status: 200 };
}
