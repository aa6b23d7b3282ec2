import { digestOf } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";

const kilobyte = "x".repeat(1_000);
const differently = (index: number): string => kilobyte.slice(3) + String(index).padStart(3, "0");

test("a registry stores its quota and not a byte more; what is there twice counts once; deletion makes room", async () => {
  await using bench = await RegistryBench.open({ quota: { bytesMax: 3_500 } });
  const post = (name: string, body: string): Promise<string> =>
    bench.call("POST", `/v2/${name}/blobs/uploads/`).then(async (response) => {
      if (response.status !== 202) return String(response.status);
      return bench.outcome("PUT", `${response.headers.get("location")}?digest=${digestOf(body)}`, { body });
    });
  const digest = await bench.blob("one", differently(1));
  expect(await post("one", differently(2))).toBe("201");
  expect(await post("two", differently(2))).toBe("201");
  expect(await post("two", differently(3))).toBe("201");
  expect(await post("two", differently(4))).toBe("403 DENIED");
  expect(await bench.has("two", `blobs/${digest}`)).toBe(false);
  expect(await post("two", "small")).toBe("201");
});

test("uploads that are under way count: many at once do not fill more than one would", async () => {
  await using bench = await RegistryBench.open({ quota: { bytesMax: 3_500 } });
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      bench.outcome("POST", `/v2/app/blobs/uploads/?digest=${digestOf(differently(index))}`, {
        body: differently(index),
      }),
    ),
  );
  const stored = outcomes.filter((outcome) => outcome === "201").length;
  expect(stored).toBeLessThanOrEqual(3);
  expect(outcomes.filter((outcome) => outcome === "403 DENIED")).toHaveLength(8 - stored);
  // And who was refused holds nothing back.
  for (let index = 0; index < 3 - stored; index++) await bench.blob("app", differently(index));
  await bench.blob("app", "a");
});

test("a repository has a quota of its own, of blobs and manifests, mounted ones too", async () => {
  await using bench = await RegistryBench.open({ quota: { repositoryBytesMax: 2_500 } });
  const [first] = [await bench.blob("one", differently(1)), await bench.blob("one", differently(2))];
  const third = `/v2/one/blobs/uploads/?digest=${digestOf(differently(3))}`;
  expect(await bench.outcome("POST", third, { body: differently(3) })).toBe("403 DENIED");
  await bench.blob("two", differently(3));
  await bench.blob("two", differently(4));
  expect(await bench.outcome("POST", `/v2/two/blobs/uploads/?mount=${first}&from=one`)).toBe("403 DENIED");
  expect(await bench.outcome("DELETE", `/v2/one/blobs/${first}`)).toBe("202");
  expect(await bench.outcome("POST", third, { body: differently(3) })).toBe("201");
});

test("what an earlier process was sent counts, until it is finished or cancelled", async () => {
  const quota = { bytesMax: 1_500 };
  await using bench = await RegistryBench.open({ quota });
  const { headers } = await bench.call("POST", "/v2/app/blobs/uploads/");
  const location = headers.get("location") ?? "";
  expect(await bench.outcome("PATCH", location, { body: differently(1) })).toBe("202");
  await bench.server[Symbol.asyncDispose]();
  await using later = await RegistryBench.open({ quota, directory: bench.directory });
  const other = `/v2/app/blobs/uploads/?digest=${digestOf(differently(2))}`;
  expect(await later.outcome("POST", other, { body: differently(2) })).toBe("403 DENIED");
  expect(await later.outcome("PUT", `${location}?digest=${digestOf(differently(1))}`)).toBe("201");
  expect(await later.outcome("POST", other, { body: differently(2) })).toBe("403 DENIED");
  expect(await later.has("app", `blobs/${digestOf(differently(1))}`)).toBe(true);
});
