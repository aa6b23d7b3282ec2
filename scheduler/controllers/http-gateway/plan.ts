import {
  attach,
  type Gateway,
  type GatewayClass,
  gatewayController,
  gatewayGroup,
  type GatewayListener,
  isGranted,
  type ListenerStatus,
  secretType,
} from "@shallop/sdk/api";
import { fails, holds, type StrictFinding, strictConditions } from "../shared/strict-conditions.ts";
import type { RoutingWorld } from "../routing/routing-world.ts";

/** What a GatewayClass of ours says of itself; undefined: it is another controller's. */
export function planGatewayClass(found: GatewayClass, wallMs: number): GatewayClass["status"] | undefined {
  if (found.spec.controllerName !== gatewayController) return undefined;
  const at = { generation: found.metadata.generation, wallMs };
  return { conditions: strictConditions({ Accepted: holds("Accepted") }, found.status?.conditions, at) };
}

/** What a Gateway of ours says of itself; undefined: it is another controller's. */
export function planGateway(gateway: Gateway, world: RoutingWorld): Gateway["status"] | undefined {
  const found = world.gatewayClass(gateway.spec.gatewayClassName);
  if (found?.spec.controllerName !== gatewayController) return undefined;
  const at = { generation: gateway.metadata.generation, wallMs: world.wallMs };
  const listeners = gateway.spec.listeners.map((listener) => planListener(gateway, listener, world));
  const bad = listeners.filter(({ conditions }) =>
    conditions.some(({ type, status }) => type === "Accepted" && status !== "True"),
  );
  const sentence = bad.map(({ name }) => `the listener "${name}" is not valid`).join(", ");
  // One that is not valid takes nothing from the others: they are served (GatewayReasonListenersNotValid).
  const isServed = bad.length < listeners.length;
  const notValid = isServed ? holds("ListenersNotValid", sentence) : fails("ListenersNotValid", sentence);
  const conditions = strictConditions(
    {
      Accepted: bad.length === 0 ? holds("Accepted") : notValid,
      Programmed: isServed ? holds("Programmed") : fails("Invalid", sentence),
    },
    gateway.status?.conditions,
    at,
  );
  return { addresses: [{ type: "IPAddress", value: world.gatewayAddress }], conditions, listeners };
}

const httpRouteKind = { group: gatewayGroup, kind: "HTTPRoute" } as const;

function planListener(gateway: Gateway, listener: GatewayListener, world: RoutingWorld): ListenerStatus {
  const { namespace = "", name, generation } = gateway.metadata;
  const isSpoken = listener.protocol === "HTTP" || listener.protocol === "HTTPS";
  const kinds = listener.allowedRoutes?.kinds ?? [];
  const unknownKind = kinds.find(({ group = gatewayGroup, kind }) => group !== gatewayGroup || kind !== "HTTPRoute");
  const hasHttpRoute = kinds.length === 0 || kinds.some(({ kind }) => kind === "HTTPRoute");
  const resolved: StrictFinding =
    unknownKind === undefined
      ? certificateFinding(gateway, listener, world)
      : fails("InvalidRouteKinds", `routes of the kind ${unknownKind.kind} are not served`);
  const twin = gateway.spec.listeners.find(
    (other) =>
      other !== listener &&
      other.port === listener.port &&
      other.protocol === listener.protocol &&
      (other.hostname ?? "") === (listener.hostname ?? ""),
  );
  const accepted = isSpoken
    ? twin === undefined
      ? holds("Accepted")
      : fails("HostnameConflict", `the listener "${twin.name}" has the same port and host`)
    : fails("UnsupportedProtocol", `${listener.protocol} is not served; HTTP and HTTPS are`);
  const isGood = accepted.status === "True" && resolved.status === "True";
  const before = gateway.status?.listeners?.find((one) => one.name === listener.name);
  const attachedRoutes = world
    .routesOf(namespace, name)
    .filter((route) =>
      (route.spec.parentRefs ?? []).some(
        (parent) =>
          parent.name === name &&
          (parent.namespace ?? route.metadata.namespace) === namespace &&
          attach(route, parent, gateway, world.labelsOf).listeners.some((one) => one.listener.name === listener.name),
      ),
    ).length;
  return {
    name: listener.name,
    supportedKinds: isSpoken && hasHttpRoute ? [httpRouteKind] : [],
    attachedRoutes,
    conditions: strictConditions(
      {
        Accepted: accepted,
        ResolvedRefs: resolved,
        Programmed: isGood ? holds("Programmed") : fails("Invalid", accepted.message || (resolved.message ?? "")),
        Conflicted: twin === undefined ? { status: "False", reason: "NoConflicts" } : holds("HostnameConflict"),
      },
      before?.conditions,
      { generation, wallMs: world.wallMs },
    ),
  };
}

function certificateFinding(gateway: Gateway, { protocol, tls }: GatewayListener, world: RoutingWorld): StrictFinding {
  if (protocol !== "HTTPS") return holds("ResolvedRefs");
  const own = gateway.metadata.namespace ?? "";
  for (const { name, namespace = own, group = "", kind = "Secret" } of tls?.certificateRefs ?? []) {
    const reference = `Secret ${namespace}/${name}`;
    if (group !== "" || kind !== "Secret") return fails("InvalidCertificateRef", "certificates are taken from Secrets");
    const from = { group: gatewayGroup, kind: "Gateway", namespace: own };
    if (!isGranted({ from, to: { group, kind, namespace, name } }, world.grants()))
      return fails("RefNotPermitted", `no ReferenceGrant of ${namespace} lets this Gateway use ${reference}`);
    const secret = world.secret(namespace, name);
    if (secret?.type !== secretType.tls)
      return fails("InvalidCertificateRef", `${reference} of the type ${secretType.tls} is not there`);
    const fault = world.certificateFault(secret);
    if (fault !== undefined) return fails("InvalidCertificateRef", `${reference} cannot be used: ${fault}`);
  }
  return holds("ResolvedRefs");
}
