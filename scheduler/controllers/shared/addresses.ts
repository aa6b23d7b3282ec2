/** Where services answer: `http://NAME.NAMESPACE.DOMAIN:PORT` (Knative's domain-template), and tags in front of it. */
export interface Addresses {
  /** What follows the namespace: `localhost`. */
  readonly domain: string;
  /** Port of the gateway; 80 is left out. */
  readonly gatewayPort: number;
  /** Where other machines, or this one, reach the gateway; for statuses. */
  readonly gatewayHost: string;
}

export function urlOf(
  { domain, gatewayPort }: Addresses,
  route: { readonly namespace: string; readonly name: string; readonly tag?: string },
): string {
  // Knative's tag-template: `{{.Tag}}-{{.Name}}`.
  const host = route.tag === undefined ? route.name : `${route.tag}-${route.name}`;
  const port = gatewayPort === 80 ? "" : `:${String(gatewayPort)}`;
  return `http://${host}.${route.namespace}.${domain}${port}`;
}
