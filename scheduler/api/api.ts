import { kindOf, namespaces, type ValidationSettings } from "@shallop/sdk/api";
import { parseReference } from "@shallop/sdk/image";
import { assert, type Clock, errorCode, type Log, type Random } from "@shallop/sdk/internal";
import type { Store } from "../store/store.ts";
import { immortalNamespaces } from "./admission.ts";
import type { Machinery } from "./machinery.ts";
import { ObjectStore } from "./objects.ts";
import { controllersUser } from "./user.ts";
import { createObject } from "./write.ts";

export interface ApiOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly validation?: ValidationSettings;
  /** Host of references that name none. */
  readonly builtinRegistry?: string;
}

/**
 * The API over a store, without a server: what `inProcessClient` and `createApiServer` work on. Makes the namespaces
 * `default` and `kube-system` on the first start.
 */
export async function createApi(options: ApiOptions): Promise<Machinery> {
  const { clock, random, log } = options;
  const machinery: Machinery = {
    objects: new ObjectStore(options.store),
    clock,
    random,
    log,
    parseImage: (image) => parseReference(image, { defaultRegistry: options.builtinRegistry ?? "127.0.0.1:5000" }),
    validation: options.validation ?? { allowZeroInitialScale: false },
  };
  const kind = kindOf(namespaces);
  assert(kind !== undefined, "namespaces are served");
  for (const name of immortalNamespaces) {
    if (machinery.objects.get(kind, undefined, name) !== undefined) continue;
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    try {
      await createObject(machinery, { kind }, namespace, { user: controllersUser });
    } catch (error) {
      if (errorCode(error) !== "AlreadyExists") throw error;
    }
  }
  return machinery;
}
