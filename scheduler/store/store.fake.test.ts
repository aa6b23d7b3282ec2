import { Metrics, prometheusText } from "@shallop/sdk/internal/telemetry";
import { expect, test } from "vitest";
import { measuredStore } from "./measured-store.ts";
import { historyContract } from "./history.contract.ts";
import { FakeStore } from "./store.fake.ts";
import { storeContract } from "./store.contract.ts";

const kind = { system: "memory", fileBytes: () => Promise.resolve(0) };

storeContract("in memory", () => Promise.resolve(new FakeStore()));
storeContract("in memory, measured", () => Promise.resolve(measuredStore(new FakeStore(), new Metrics(), kind)));
historyContract("in memory", () => Promise.resolve(new FakeStore()));

test("writes are timed, and watches counted", async () => {
  const metrics = new Metrics();
  await using store = measuredStore(new FakeStore(), metrics, { ...kind, fileBytes: () => Promise.resolve(4_096) });
  await store.put("a", new Uint8Array(1), 0);
  await expect(store.put("a", new Uint8Array(1), 7)).rejects.toMatchObject({ code: "REVISION_MISMATCH" });
  const watch = store.watch("", 0, () => undefined);
  const text = prometheusText(await metrics.collect());
  expect(text).toContain(
    'db_client_operation_duration_seconds_count{db_system_name="memory",db_operation_name="put",error_type=""} 1',
  );
  expect(text).toContain('db_operation_name="put",error_type="REVISION_MISMATCH"} 1');
  expect(text).toContain("shallop_store_revision 1\n");
  expect(text).toContain("shallop_store_size_bytes 4096\n");
  expect(text).toContain("shallop_store_watches 1\n");
  watch.stop();
  watch.stop();
  expect(prometheusText(await metrics.collect())).toContain("shallop_store_watches 0\n");
});
