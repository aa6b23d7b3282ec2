import {
  ApiFault,
  type ApiObject,
  configMaps,
  type CoreService,
  type PodSpec,
  referencesOf,
  type Resource,
  secrets,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";

/** Entries of an object, base64, by key. */
export type Entries = ReadonlyMap<string, string>;

/** What a pod takes variables and files from, by name; what there is not is not here. */
export interface GivenObjects {
  readonly secrets: ReadonlyMap<string, Entries>;
  readonly configMaps: ReadonlyMap<string, Entries>;
  /** Of the whole cluster, as the node knows them. */
  readonly services: readonly CoreService[];
}

export const nothingGiven: GivenObjects = { secrets: new Map(), configMaps: new Map(), services: [] };

/** Asks for what the pod names, and for nothing else: a node sees the Secrets of its own pods only. @throws ApiFault */
export async function givenTo(
  { namespace, spec }: { readonly namespace: string; readonly spec: PodSpec },
  client: Pick<ApiClient, "get">,
  signal: AbortSignal,
): Promise<Omit<GivenObjects, "services">> {
  const references = referencesOf(spec);
  const read = async <Kind extends ApiObject>(
    resource: Resource<Kind>,
    names: ReadonlySet<string>,
    entriesOf: (object: Kind) => Entries,
  ): Promise<ReadonlyMap<string, Entries>> => {
    const found = new Map<string, Entries>();
    for (const name of names) {
      try {
        found.set(name, entriesOf(await client.get(resource, namespace, name, signal)));
      } catch (error) {
        if (!(error instanceof ApiFault) || error.code !== "NotFound") throw error;
      }
    }
    return found;
  };
  return {
    secrets: await read(secrets, references.secrets, ({ data = {} }) => new Map(Object.entries(data))),
    configMaps: await read(configMaps, references.configMaps, ({ data = {}, binaryData = {} }) => {
      const texts = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")] as const);
      return new Map([...texts, ...Object.entries(binaryData)]);
    }),
  };
}
