import { describe, expect, test } from "vitest";
import { balanceRulesOf, holdRulesOf, validateTraffic } from "./traffic-annotations.ts";

describe("annotations of a revision for its gateways", () => {
  test("what is not given is the gateway's own", () => {
    expect(holdRulesOf()).toEqual({ sheds: "newest" });
    expect(balanceRulesOf({})).toEqual({});
  });

  test("all of them", () => {
    const annotations = {
      "hold.shallop.dev/depth": "50",
      "hold.shallop.dev/wait": "5s",
      "hold.shallop.dev/shed": "oldest",
      "hold.shallop.dev/retry-after": "1500ms",
      "balance.shallop.dev/hash-by": "header:X-User",
      "balance.shallop.dev/slow-start": "0s",
    };
    expect(validateTraffic(annotations, "a")).toEqual([]);
    expect(holdRulesOf(annotations)).toEqual({ depthMax: 50, waitMs: 5000, sheds: "oldest", retryAfterSeconds: 2 });
    expect(balanceRulesOf(annotations)).toEqual({ hashBy: "header:X-User", slowStartMs: 0 });
  });

  test.each([
    ["hold.shallop.dev/depth", "0"],
    ["hold.shallop.dev/depth", "1e3"],
    ["hold.shallop.dev/wait", "10ms"],
    ["hold.shallop.dev/wait", "soon"],
    ["hold.shallop.dev/shed", "all"],
    ["hold.shallop.dev/retry-after", "2h"],
    ["hold.shallop.dev/depths", "5"],
    ["balance.shallop.dev/hash-by", "header:"],
    ["balance.shallop.dev/hash-by", "header:a b"],
    ["balance.shallop.dev/hash-by", "cookie"],
    ["balance.shallop.dev/slow-start", "-1s"],
  ])("%s: %s is refused, and counts as not given where it slipped through", (key, value) => {
    const causes = validateTraffic({ [key]: value }, "metadata.annotations");
    expect(causes).toHaveLength(1);
    expect(causes[0]?.field).toBe(`metadata.annotations.${key}`);
    expect(holdRulesOf({ [key]: value })).toEqual({ sheds: "newest" });
    expect(balanceRulesOf({ [key]: value })).toEqual({});
  });
});
