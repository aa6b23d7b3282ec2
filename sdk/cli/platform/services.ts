import { services, type Service } from "../../api/index.ts";
import type { ApiClient } from "../../client/index.ts";
import { retryOnConflict } from "../../client/index.ts";
import { ApiFault } from "../../api/index.ts";
import { checkName } from "./flag-values.ts";

export const namespaceOf = (flags: { readonly namespace?: string }): string => flags.namespace ?? "default";

export async function getService(client: ApiClient, namespace: string, name: string): Promise<Service> {
  checkName(name);
  return client.get(services, namespace, name);
}

/** Reads the service, changes it and writes it, again when somebody else was faster. */
export function changeService(
  client: ApiClient,
  target: { readonly namespace: string; readonly name: string },
  change: (service: Service) => Service,
): Promise<Service> {
  return retryOnConflict(async () =>
    client.update(services, change(await getService(client, target.namespace, target.name))),
  );
}

export async function findService(client: ApiClient, namespace: string, name: string): Promise<Service | undefined> {
  try {
    return await getService(client, namespace, name);
  } catch (error) {
    if (error instanceof ApiFault && error.code === "NotFound") return undefined;
    throw error;
  }
}

export const readyCondition = (service: Service) => service.status?.conditions?.find(({ type }) => type === "Ready");
