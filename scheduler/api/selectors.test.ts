import { expect, test } from "vitest";
import { kindNamed, pod, refusal } from "./api.fixture.ts";
import { parseSelection } from "./selectors.ts";

const object = { ...pod("web", { namespace: "default", labels: { app: "x", tier: "2" } }, { nodeName: "n1" }) };
const matches = (labels: string, fields = ""): boolean =>
  parseSelection(kindNamed("pods"), labels, fields).matches(object);

test.each([
  ["", true],
  ["app=x", true],
  ["app==x,tier=2", true],
  ["app=y", false],
  ["app!=y", true],
  ["app!=x", false],
  ["none!=x", true],
  ["app in (x, y)", true],
  ["app notin (x,y)", false],
  ["none notin (x)", true],
  ["none in (x)", false],
  ["app", true],
  ["!app", false],
  ["!none", true],
  ["tier>1", true],
  ["tier<2", false],
  ["app in (x),tier notin (3),!gone", true],
  ["toString", false],
])("labels %s: %s", (selector, expected) => {
  expect(matches(selector)).toBe(expected);
});

test.each([
  ["metadata.name=web", true],
  ["metadata.name!=web", false],
  ["metadata.namespace==default,spec.nodeName=n1", true],
  ["spec.nodeName=n2", false],
  ["status.phase=", true],
  ["spec.hostNetwork=false", true],
  [String.raw`metadata.name=we\,b`, false],
])("fields %s: %s", (selector, expected) => {
  expect(matches("", selector)).toBe(expected);
});

test.each([
  ["a===b", ""],
  ["a in x", ""],
  ["a b", ""],
  ["-a=b", ""],
  [`a=${"x".repeat(64)}`, ""],
  ["", "spec.unknown=1"],
  ["", "metadata.name"],
  ["", "constructor=1"],
  [`a=b,${"c,".repeat(5000)}`, ""],
])("%s and %s are refused", async (labels, fields) => {
  expect((await refusal(() => matches(labels, fields))).code).toBe("BadRequest");
});

test("fields of kinds: a node's unschedulable is false when absent, an event's source is its component", () => {
  const fits = (kind: string, fields: string, value: object) =>
    parseSelection(kindNamed(kind), "", fields).matches(value as never);
  expect(fits("nodes", "spec.unschedulable=false", {})).toBe(true);
  expect(fits("nodes", "spec.unschedulable=true", { spec: { unschedulable: true } })).toBe(true);
  expect(fits("events", "source=agent", { source: { component: "agent" } })).toBe(true);
  expect(
    fits("events", "involvedObject.name=a,involvedObject.uid=1", { involvedObject: { name: "a", uid: "1" } }),
  ).toBe(true);
});
