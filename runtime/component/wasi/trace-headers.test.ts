import { expect, test } from "vitest";
import { traceHeaders } from "./trace-headers.ts";

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const served = ["accept", "*/*", "traceparent", parent, "tracestate", "a=1", "tracestate", "b=2"];

test("what a guest calls is told of the trace that the guest serves", () => {
  const all = ["traceparent", parent, "tracestate", "a=1", "tracestate", "b=2"];
  expect(traceHeaders(["accept", "text/plain"], served)).toEqual(all);
  expect(traceHeaders(["x", "traceparent"], served)).toEqual(all);
});

test("unless the guest says something itself, or nobody has", () => {
  expect(traceHeaders(["Traceparent", "mine"], served)).toEqual([]);
  expect(traceHeaders([], ["accept", "traceparent"])).toEqual([]);
  expect(traceHeaders([], undefined)).toEqual([]);
});
