import { expect, test } from "vitest";
import { type PeerPod, peerTable } from "./peer-table.ts";

const standIn = (key: string): string => `for ${key}`;
const pod = (uid: string, networks: readonly string[], more: Partial<PeerPod> = {}): PeerPod => ({
  ...{ uid, namespace: "docker", ports: [] },
  networks: networks.map((network) => ({ network: `docker/${network}`, names: [uid] })),
  ...more,
});

test("native pods among themselves need nothing", () => {
  const pods = [pod("a", ["n"], { ip: "10.88.0.2" }), pod("b", ["n"], { ip: "10.88.0.3" })];
  expect(peerTable(pods, standIn)).toEqual({ doors: [], guests: [], entries: [] });
});

test("a component has doors for native pods of its networks alone, and a name for each of them", () => {
  const web = pod("web", ["front"], { ports: [3000, 80] });
  const pods = [web, pod("db", ["front", "back"], { ip: "10.88.0.2" }), pod("far", ["back"], { ip: "10.88.0.3" })];
  const { doors, guests, entries } = peerTable(pods, standIn);
  expect(doors.map(({ address, port }) => `${address}:${String(port)}`)).toEqual([
    "for peer web:3000",
    "for peer web:80",
    "for peer web:8080",
  ]);
  expect(doors[0]).toMatchObject({ protocol: "TCP", clients: ["10.88.0.2"], backends: [{ kind: "pod", uid: "web" }] });
  expect(guests).toEqual([{ address: "for peer web", memberships: web.networks }]);
  expect(entries.map(({ pod: uid, to }) => [uid, to])).toEqual([
    ["web", undefined],
    ["db", "10.88.0.2"],
    ["far", "10.88.0.3"],
  ]);
});
