import { expect, test } from "vitest";
import { followAlias, isClusterName } from "./name-alias.ts";
import type { NameRecords } from "./name-answer.ts";

const inside = (name: string): string => `${name}.team.svc.cluster.local`;
const to = (alias: string): NameRecords => ({ addresses: [], services: [], alias });
const web: NameRecords = { addresses: ["10.96.0.5"], services: [] };

const chain = Array.from({ length: 10 }, (_, index) => [inside(`c${index}`), to(inside(`c${index + 1}`))] as const);
const names = new Map<string, NameRecords>([
  [inside("web"), web],
  [inside("one"), to(inside("web"))],
  [inside("two"), to(inside("one"))],
  [inside("db"), to("db.example.com")],
  [inside("far"), to(inside("db"))],
  [inside("self"), to(inside("self"))],
  [inside("left"), to(inside("right"))],
  [inside("right"), to(inside("left"))],
  [inside("lost"), to(inside("nobody"))],
  ...chain,
  [inside("c10"), web],
]);

const follow = (name: string) => followAlias(inside(name), (one) => names.get(one));

test.each([
  ["web", { kind: "own", aliases: [], records: web }],
  ["one", { kind: "own", aliases: [inside("web")], records: web }],
  ["two", { kind: "own", aliases: [inside("one"), inside("web")], records: web }],
  ["db", { kind: "outside", aliases: ["db.example.com"], name: "db.example.com" }],
  ["far", { kind: "outside", aliases: [inside("db"), "db.example.com"], name: "db.example.com" }],
  ["self", { kind: "nowhere" }],
  ["left", { kind: "nowhere" }],
  ["lost", { kind: "nowhere" }],
  ["nobody", { kind: "nowhere" }],
  ["c0", { kind: "nowhere" }],
  ["c1", { kind: "nowhere" }],
])("%s comes to %j", (name, end) => {
  expect(follow(name)).toEqual(end);
});

test("eight aliases are followed, and no more", () => {
  expect(follow("c2")).toMatchObject({ kind: "own", records: web });
});

test.each([
  ["cluster.local", true],
  ["web.team.svc.cluster.local", true],
  ["mycluster.local", false],
  ["cluster.local.example.com", false],
])("%s is the cluster's: %s", (name, isOurs) => {
  expect(isClusterName(name)).toBe(isOurs);
});
