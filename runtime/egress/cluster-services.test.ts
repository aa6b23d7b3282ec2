import { expect, test } from "vitest";
import { ClusterServices } from "./cluster-services.ts";

const services = new ClusterServices();
services.lead({
  names: [
    ["shop.team.svc.cluster.local", ["10.96.0.5"]],
    ["peers.team.svc.cluster.local", ["10.104.0.2", "10.104.0.3"]],
  ],
  aliases: [["db.team.svc.cluster.local", "db.example.com"]],
  doors: [{ protocol: "TCP", address: "10.96.0.5", port: 80, to: { address: "10.88.0.1", port: 4000 } }],
  peers: [
    { pod: "web", networks: [{ network: "docker/front", names: ["web", "www"] }], address: "10.104.0.7" },
    {
      ...{ pod: "db", address: "10.104.0.8", to: "10.88.0.9" },
      networks: [
        { network: "docker/front", names: ["db"] },
        { network: "docker/back", names: ["store"] },
      ],
    },
    { pod: "other", networks: [{ network: "docker/back", names: ["db"] }], address: "10.104.0.9" },
  ],
});

test.each([
  ["shop", "team", ["10.96.0.5"]],
  ["shop.team", "other", ["10.96.0.5"]],
  ["Shop.Team.svc", "other", ["10.96.0.5"]],
  ["shop.team.svc.cluster.local", "other", ["10.96.0.5"]],
  ["shop.team.svc.cluster.local.", "other", ["10.96.0.5"]],
  ["peers", "team", ["10.104.0.2", "10.104.0.3"]],
  ["shop", "other", undefined],
  ["shop.", "team", undefined],
  ["example.com", "team", undefined],
])("%s asked in namespace %s is %j", (name, namespace, addresses) => {
  const found = services.find(name, namespace);
  expect(found && "addresses" in found ? found.addresses.map(({ address }) => address) : found).toEqual(addresses);
});

test("a name that stands for one outside is for others to resolve", () => {
  for (const name of ["db", "db.team", "DB.team.svc.cluster.local."])
    expect(services.find(name, "team"), name).toEqual({ outside: "db.example.com" });
  expect(services.find("db", "other")).toBeUndefined();
});

test("what would be the cluster's and is not there is asked nowhere else", () => {
  expect(() => services.find("nobody.team.svc.cluster.local", "team")).toThrow(
    expect.objectContaining({ code: "DNS" }),
  );
});

test("connections go to the node's doors; where there is none they are refused, and others are left alone", () => {
  expect(services.endOf({ address: "10.96.0.5", port: 80 })).toEqual({ address: "10.88.0.1", port: 4000 });
  expect(() => services.endOf({ address: "10.96.0.5", port: 81 })).toThrow(
    expect.objectContaining({ code: "ECONNREFUSED" }),
  );
  expect(() => services.endOf({ address: "10.104.0.2", port: 80 })).toThrow(
    expect.objectContaining({ code: "ECONNREFUSED" }),
  );
  expect(services.endOf({ address: "93.184.216.34", port: 80 })).toBeUndefined();
});

test("pods of one network find and reach each other, and nobody else does", () => {
  const found = (name: string, pod: string) => services.findPeers(name, pod)?.map(({ address }) => address);
  expect(found("DB.", "web")).toEqual(["10.104.0.8"]);
  expect(found("www", "db")).toEqual(["10.104.0.7"]);
  expect(found("www", "other")).toBeUndefined();
  expect(found("store", "other")).toEqual(["10.104.0.8"]);
  expect(found("store", "web")).toBeUndefined();
  expect(found("web", "nobody")).toBeUndefined();
  expect(services.endOf({ address: "10.104.0.8", port: 5432 }, "web")).toEqual({
    address: "10.88.0.9",
    port: 5432,
    isPod: true,
  });
  const refused = expect.objectContaining({ code: "ECONNREFUSED" });
  expect(() => services.endOf({ address: "10.104.0.7", port: 80 }, "other")).toThrow(refused);
  expect(() => services.endOf({ address: "10.104.0.8", port: 5432 })).toThrow(refused);
});

test("without a namespace Services are found by their whole names", () => {
  expect(services.find("shop.team", "")).toBeUndefined();
  expect(services.find("shop.team.svc.cluster.local", "")).toMatchObject({ addresses: [{ address: "10.96.0.5" }] });
});
