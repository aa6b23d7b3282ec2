import { beforeEach, describe, expect, test } from "vitest";
import { fakeNode, fakePod, fakeRevision, fakeRoute } from "../gateway.fake.ts";
import { Cluster } from "./cluster.ts";

let told: string[];
let cluster: Cluster;
beforeEach(() => {
  told = [];
  cluster = new Cluster("localhost", {
    revisionChanged: ({ key }) => told.push(`revision ${key}`),
    revisionGone: (key) => told.push(`gone ${key}`),
    podChanged: ({ uid }) => told.push(`pod ${uid}`),
    podGone: ({ uid }) => told.push(`pod gone ${uid}`),
    certificatesChanged: () => undefined,
  });
});

describe("Cluster", () => {
  test("keeps what it is given, and tells of it", () => {
    cluster.set("nodes", fakeNode("n1"));
    cluster.set("revisions", fakeRevision("r"));
    cluster.set("pods", fakePod("p", "r"));
    cluster.set("routes", fakeRoute("hello", [{ revisionName: "r", percent: 100 }]));
    expect(told).toEqual(["revision default/r", "pod uid-p"]);
    expect(cluster.node("n1")?.name).toBe("n1");
    expect(cluster.revision("default/r")?.name).toBe("r");
    expect(cluster.router.split("default/hello")?.revisions).toEqual(["default/r"]);
  });

  test("what is deleted is gone, and told of once", () => {
    cluster.set("revisions", fakeRevision("r"));
    cluster.set("pods", fakePod("p", "r"));
    told = [];
    for (let times = 0; times < 2; times++) {
      cluster.delete("pods", fakePod("p", "r"));
      cluster.delete("revisions", fakeRevision("r"));
    }
    expect(told).toEqual(["pod gone uid-p", "gone default/r"]);
    expect(cluster.revision("default/r")).toBeUndefined();
  });

  test("a pod of the same name that was made again is another pod", () => {
    cluster.set("pods", fakePod("p", "r"));
    const again = fakePod("p", "r");
    cluster.set("pods", { ...again, metadata: { ...again.metadata, uid: "other" } });
    expect(told).toEqual(["pod uid-p", "pod gone uid-p", "pod other"]);
  });

  test("a complete list removes what it does not name", () => {
    for (const name of ["a", "b", "c"]) cluster.set("routes", fakeRoute(name, [{ revisionName: "r", percent: 100 }]));
    cluster.replace("routes", [fakeRoute("b", [{ revisionName: "s", percent: 100 }])]);
    expect(["a", "b", "c"].map((name) => cluster.split(`default/${name}`)?.revisions)).toEqual([
      undefined,
      ["default/s"],
      undefined,
    ]);
    expect([...cluster.objects("routes")]).toHaveLength(1);
  });
});
