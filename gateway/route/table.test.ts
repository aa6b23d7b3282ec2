import { seededRandom } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { fakeRoute } from "../gateway.fake.ts";
import { RouteTable } from "./table.ts";

const to = (table: RouteTable, host: string): string | undefined => table.lookup(host)?.split.next(seededRandom(1));

describe("RouteTable", () => {
  test("knows a route by its host, and its tags by theirs", () => {
    const table = new RouteTable("localhost");
    table.set(
      fakeRoute("hello", [
        { revisionName: "hello-00001", percent: 100 },
        { revisionName: "hello-00002", percent: 0, tag: "next" },
        { revisionName: "hello-00001", tag: "stable" },
      ]),
    );
    expect(to(table, "hello.default.localhost")).toBe("default/hello-00001");
    expect(to(table, "next-hello.default.localhost")).toBe("default/hello-00002");
    expect(to(table, "stable-hello.default.localhost")).toBe("default/hello-00001");
    // As pods call it, which look for it by its name.
    for (const host of ["hello.default", "hello.default.svc", "hello.default.svc.cluster.local"])
      expect(to(table, host)).toBe("default/hello-00001");
    for (const host of [
      "hello.other.localhost",
      "hello",
      "hello.svc.cluster.local",
      "default.localhost",
      "hello.default.localhost.evil",
      "",
    ])
      expect(table.lookup(host)).toBeUndefined();
  });

  test("shares of a revision that is named twice add up; what is no share is left out", () => {
    const table = new RouteTable("localhost");
    table.set(
      fakeRoute("hello", [
        { revisionName: "a", percent: 60 },
        { revisionName: "a", percent: 40, tag: "x" },
        { revisionName: "b", percent: 1e9 },
        { revisionName: "c", percent: -1 },
        { revisionName: "d", percent: 0.5 },
        { percent: 100, latestRevision: true },
      ]),
    );
    expect(table.lookup("hello.default.localhost")?.split.revisions).toEqual(["default/a"]);
  });

  test("a route that changes or goes takes its old tags with it", () => {
    const table = new RouteTable("localhost");
    table.set(fakeRoute("hello", [{ revisionName: "a", percent: 100, tag: "old" }]));
    table.set(fakeRoute("hello", [{ revisionName: "b", percent: 100, tag: "new" }]));
    expect(table.lookup("old-hello.default.localhost")).toBeUndefined();
    expect(to(table, "new-hello.default.localhost")).toBe("default/b");
    table.delete("default", "hello");
    expect(table.size).toBe(0);
  });

  test("a route's own name wins over a tag that reads the same, in any order of coming", () => {
    const routes = [
      fakeRoute("b", [{ revisionName: "tagged", percent: 100, tag: "a" }]),
      fakeRoute("a-b", [{ revisionName: "named", percent: 100 }]),
    ];
    for (const order of [routes, routes.toReversed()]) {
      const table = new RouteTable("localhost");
      for (const route of order) table.set(route);
      expect(to(table, "a-b.default.localhost")).toBe("default/named");
      table.delete("default", "a-b");
      expect(to(table, "a-b.default.localhost")).toBe("default/tagged");
    }
  });

  test("of two tags that read the same, the first route in the alphabet has it, in any order of coming", () => {
    const routes = [
      fakeRoute("b-c", [{ revisionName: "from-b-c", percent: 100, tag: "a" }]),
      fakeRoute("c", [{ revisionName: "from-c", percent: 100, tag: "a-b" }]),
    ];
    for (const order of [routes, routes.toReversed()]) {
      const table = new RouteTable("localhost");
      for (const route of order) table.set(route);
      expect(to(table, "a-b-c.default.localhost")).toBe("default/from-b-c");
      table.delete("default", "b-c");
      expect(to(table, "a-b-c.default.localhost")).toBe("default/from-c");
    }
  });
});
