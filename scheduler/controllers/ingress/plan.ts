import { gatewayController, type Ingress, type Secret } from "@shallop/sdk/api";
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

/** The Secrets of an Ingress of ours that are there and hold no certificate that can be used, and why. */
export function faultySecrets(
  { metadata, spec }: Ingress,
  world: RoutingWorld,
): readonly { readonly secret: Secret; readonly fault: string }[] {
  return (spec?.tls ?? []).flatMap(({ secretName = "" }) => {
    const secret = world.secret(metadata.namespace ?? "", secretName);
    const fault = secret === undefined ? undefined : world.certificateFault(secret);
    return secret === undefined || fault === undefined ? [] : [{ secret, fault }];
  });
}
