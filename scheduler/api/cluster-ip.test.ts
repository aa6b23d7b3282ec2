import { coreServices, dig, kindOf } from "@shallop/sdk/api";
import { assert, type Random } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { admin, openApi, type TestApi } from "./api.fixture.ts";
import { createObject } from "./write.ts";

const kind = kindOf(coreServices);
assert(kind !== undefined, "Services are served");

const create = (api: TestApi, name: string, clusterIP?: string): Promise<unknown> =>
  createObject(
    api,
    { kind, namespace: "default" },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" } },
      spec: { ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) },
    },
    admin,
  ).then((service) => dig(service, "spec", "clusterIP"));

test("Services that are made at the same moment have addresses of their own", async () => {
  const api = await openApi();
  // Two draw the same lot.
  const lots = [7, 7, 8];
  const random: Random = {
    ...api.random,
    below: () => lots.shift() ?? 9,
    suffix: (length) => api.random.suffix(length),
  };
  const drawn = { ...api, random };
  expect(await Promise.all([create(drawn, "a"), create(drawn, "b")])).toEqual(["10.96.0.9", "10.96.0.10"]);
});

test("an address that two ask for at the same moment is one's; one whose Service was not stored is free again", async () => {
  const api = await openApi();
  const asked = await Promise.allSettled([create(api, "a", "10.96.3.3"), create(api, "b", "10.96.3.3")]);
  expect(asked.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(asked[1]).toMatchObject({ reason: { code: "Invalid" } });
  await expect(create(api, "a", "10.96.3.4")).rejects.toMatchObject({ code: "AlreadyExists" });
  expect(await create(api, "c", "10.96.3.4")).toBe("10.96.3.4");
});
