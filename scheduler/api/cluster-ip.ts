import {
  ApiFault,
  clusterAddressesMax,
  coreServices,
  dig,
  isExternalName,
  type JsonObject,
  listAt,
  serviceAddress,
  textAt,
  withAt,
  withoutAddress,
} from "@shallop/sdk/api";
import { invalidObject } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";

// Half a million addresses and objects by the thousand: the first one tried is free nearly always.
const triesMax = 64;

/**
 * A Service gets an address when it is made, and keeps it, unless it comes to stand for a name outside. Of two API servers each may give
 * the same one at the same moment, by a chance of one in half a million.
 * @throws ApiFault Invalid when another one is asked for or it is somebody else's, InternalError when none is free
 */
export function withClusterIp(
  machinery: Machinery,
  target: Target,
  change: { readonly old?: JsonObject | undefined; readonly next: JsonObject },
): JsonObject {
  const { old, next } = change;
  const { plural, group } = target.kind.resource;
  if (plural !== coreServices.plural || group !== coreServices.group || target.subresource !== undefined) return next;
  if (isExternalName(next)) return withoutAddress(next);
  const [before, asked] = [ipOf(old), ipOf(next)];
  if (before !== undefined) {
    if (asked !== undefined && asked !== before) throw refusal(target, next, asked, "field is immutable");
    return withIp(next, before);
  }
  if (asked === "None") return withIp(next, asked);
  const taken = addressesIn(machinery, target);
  if (asked !== undefined) {
    if (taken.has(asked)) throw refusal(target, next, asked, "provided IP is already allocated");
    return withIp(next, asked);
  }
  for (let tries = 0; tries < triesMax; tries++) {
    // The first one is the API server's.
    const address = serviceAddress(2 + machinery.random.below(clusterAddressesMax - 2));
    if (!taken.has(address)) return withIp(next, address);
  }
  throw new ApiFault("InternalError", "no address is free for the Service");
}

/** Addresses of Services that are on their way into the store. */
const comingByMachinery = new WeakMap<Machinery, Set<string>>();

/** Nobody else is given the address of `next` meanwhile. @returns what is to be called once it is stored, or is not */
export function holdClusterIp(machinery: Machinery, { kind }: Target, next: JsonObject): () => void {
  const { plural, group } = kind.resource;
  const ip = plural === coreServices.plural && group === coreServices.group ? ipOf(next) : undefined;
  if (ip === undefined || ip === "None") return () => undefined;
  const coming = comingByMachinery.get(machinery) ?? new Set<string>();
  comingByMachinery.set(machinery, coming);
  coming.add(ip);
  return () => void coming.delete(ip);
}

function ipOf(service: JsonObject | undefined): string | undefined {
  const ip = textAt(service, "spec", "clusterIP");
  return ip === "" ? undefined : ip;
}

function withIp(service: JsonObject, ip: string): JsonObject {
  const families: readonly (readonly [string, string])[] = [
    ["ipFamilies", "IPv4"],
    ["clusterIPs", ip],
  ];
  const listed = families.reduce(
    (object, [field, value]) =>
      listAt(object, "spec", field).length > 0 ? object : withAt(object, ["spec", field], [value]),
    withAt(service, ["spec", "clusterIP"], ip),
  );
  return dig(listed, "spec", "ipFamilyPolicy") === undefined
    ? withAt(listed, ["spec", "ipFamilyPolicy"], "SingleStack")
    : listed;
}

function addressesIn(machinery: Machinery, { kind }: Target): ReadonlySet<string> {
  const { objects } = machinery;
  const stored = objects.store.list(objects.prefix(kind)).entries.flatMap((entry) => ipOf(objects.parse(entry)) ?? []);
  return new Set([...stored, ...(comingByMachinery.get(machinery) ?? [])]);
}

const refusal = ({ kind }: Target, service: JsonObject, ip: string, why: string): ApiFault =>
  invalidObject(kind, textAt(service, "metadata", "name") ?? "", [
    {
      reason: "FieldValueInvalid",
      field: "spec.clusterIPs[0]",
      message: `Invalid value: ${JSON.stringify(ip)}: ${why}`,
    },
  ]);
