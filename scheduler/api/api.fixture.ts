import { type Json, type JsonObject, kindAt, type KindDefinition } from "@shallop/sdk/api";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { assert } from "@shallop/sdk/internal";
import { FakeStore } from "../store/store.fake.ts";
import type { Store } from "../store/store.ts";
import { createApi } from "./api.ts";
import type { Machinery, ObjectTarget, Target } from "./machinery.ts";
import { adminUser } from "./user.ts";

export interface TestApi extends Machinery {
  readonly store: Store;
  readonly clock: FakeClock;
}

/** The API over a store in memory, at 2026-01-01T00:00:00Z. */
export async function openApi(store: Store = new FakeStore()): Promise<TestApi> {
  const clock = new FakeClock();
  const machinery = await createApi({ store, clock, random: seededRandom(1), log: silentLog });
  return { ...machinery, store, clock };
}

export const admin = { user: adminUser } as const;

export function kindNamed(plural: string): KindDefinition {
  const kind = kindAt("serving.knative.dev", "v1", plural) ?? kindAt("", "v1", plural);
  assert(kind !== undefined, `${plural} are served`);
  return kind;
}

export function at(plural: string, namespace: string | undefined, name: string): ObjectTarget;
export function at(plural: string, namespace?: string): Target;
export function at(plural: string, namespace?: string, name?: string): Target {
  const kind = kindNamed(plural);
  return { kind, namespace: kind.resource.namespaced ? namespace : undefined, name };
}

export const pod = (name: string, more: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, ...more },
  spec: { containers: [{ name: "c", image: "img:1" }], ...spec },
});

export const service = (name: string, template: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Service",
  metadata: { name },
  spec: { template: { spec: { containers: [{ image: "hello:1" }] }, ...template }, ...spec },
});

/** The code and message of what a call is refused with. */
export async function refusal(
  call: () => unknown,
): Promise<{ code: string; message: string; fields: readonly string[] }> {
  try {
    await call();
  } catch (error) {
    assert(error instanceof Error && "code" in error, "a fault is thrown");
    const details = "details" in error ? (error.details as { causes?: { field?: string }[] }) : {};
    return {
      code: String(error.code),
      message: error.message,
      fields: (details.causes ?? []).map((cause) => cause.field ?? ""),
    };
  }
  return { code: "none", message: "nothing was refused", fields: [] };
}

export const json = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
