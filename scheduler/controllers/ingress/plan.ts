import { gatewayController, type Ingress } from "@shallop/sdk/api";
import type { RoutingWorld } from "../routing/routing-world.ts";

/** The class that Shallop makes, of Ingresses and of Gateways. */
export const ownClass = "shallop";

/** Where an Ingress of ours answers; undefined: it is another controller's. */
export function planIngress({ spec, status }: Ingress, world: RoutingWorld): Ingress["status"] | undefined {
  const name = spec?.ingressClassName ?? "";
  const controller = name === "" ? gatewayController : world.ingressClass(name)?.spec?.controller;
  if (controller !== gatewayController) return undefined;
  const { gatewayAddress } = world;
  const isAddress = /^[0-9.]+$|:/.test(gatewayAddress);
  return {
    ...status,
    loadBalancer: { ingress: [isAddress ? { ip: gatewayAddress } : { hostname: gatewayAddress }] },
  };
}
