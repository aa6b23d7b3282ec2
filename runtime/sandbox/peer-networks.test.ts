import { expect, test } from "vitest";
import { PeerNetworks } from "./peer-networks.ts";

test("pods of one network reach each other, by the names that they have there, and no others", () => {
  const peers = new PeerNetworks();
  peers.join("10.0.0.2", [{ network: "a", names: ["db", "one"] }]);
  peers.join("10.0.0.3", [
    { network: "a", names: ["web"] },
    { network: "b", names: ["front"] },
  ]);
  peers.join("10.0.0.4", [{ network: "b", names: ["db"] }]);
  expect(peers.pairs()).toEqual([
    ["10.0.0.2", "10.0.0.3"],
    ["10.0.0.3", "10.0.0.2"],
    ["10.0.0.3", "10.0.0.4"],
    ["10.0.0.4", "10.0.0.3"],
  ]);
  expect(peers.recordsOf("10.0.0.2", "web")?.addresses).toEqual(["10.0.0.3"]);
  expect(peers.recordsOf("10.0.0.3", "DB.")?.addresses).toEqual(["10.0.0.2", "10.0.0.4"]);
  expect(peers.recordsOf("10.0.0.2", "front")).toBeUndefined();
  expect(peers.recordsOf("10.0.0.9", "web")).toBeUndefined();
  expect(peers.leave("10.0.0.4")).toBe(true);
  expect(peers.recordsOf("10.0.0.3", "db")?.addresses).toEqual(["10.0.0.2"]);
  expect(peers.leave("10.0.0.4")).toBe(false);
});

test("components of a network have names there, and no pair of addresses", () => {
  const peers = new PeerNetworks();
  peers.join("10.0.0.2", [{ network: "a", names: ["db"] }]);
  peers.guests = [{ address: "10.104.0.1", memberships: [{ network: "a", names: ["web"] }] }];
  expect(peers.recordsOf("10.0.0.2", "web")?.addresses).toEqual(["10.104.0.1"]);
  expect(peers.recordsOf("10.0.0.3", "web")).toBeUndefined();
  expect(peers.pairs()).toEqual([]);
});

test("a crowd has a bound, and who is over it is in no network", () => {
  const peers = new PeerNetworks();
  const all = Array.from({ length: 258 }, (_, index) => `10.0.1.${String(index)}`);
  const joined = all.map((address) => peers.join(address, [{ network: "a", names: [] }]));
  expect(joined.slice(0, 256)).not.toContain(false);
  expect(joined.at(-1)).toBe(false);
});
