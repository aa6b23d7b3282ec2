/** `metav1.OwnerReference`. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** `metav1.ObjectMeta` as the store holds it: what the server sets is always there. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  /** One integer sequence for the whole store, as decimal text. */
  readonly resourceVersion: string;
  /** Rises only when spec changes. */
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly generateName?: string;
  readonly managedFields?: readonly unknown[];
}

/** What a writer gives; the server fills in the rest. */
export type NewMeta = Partial<ObjectMeta> & ({ readonly name: string } | { readonly generateName: string });

/** Any object of the API. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** An object as it is sent for creation. */
export type NewObject<T extends ApiObject> = Omit<T, "metadata" | "status"> & {
  readonly metadata: NewMeta;
} & (T extends { readonly status?: infer S } ? { readonly status?: S } : unknown);

export interface ListOf<T> {
  readonly items: readonly T[];
  /** Head of the store when the list was made; a watch from here misses nothing. */
  readonly resourceVersion: string;
}

export type WatchEvent<T> = { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T };

/** `metav1.Condition` as Knative and core use it. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly severity?: "" | "Warning" | "Info";
}

export type ConditionStatus = Condition["status"];
