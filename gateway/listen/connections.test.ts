import { Socket } from "node:net";
import { expect, test } from "vitest";
import { Connections } from "./connections.ts";

/** A socket of that address which is connected to nothing. */
function socketOf(remoteAddress: string): Socket {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  return socket;
}
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy();
  });

test("one address gets so many connections, another its own, loopback any number", async () => {
  const connections = new Connections(2);
  const first = socketOf("10.0.0.1");
  expect(connections.add(first)?.client.address).toBe("10.0.0.1");
  expect(connections.add(socketOf("::ffff:10.0.0.1"))).toBeDefined();
  expect(connections.add(socketOf("10.0.0.1"))).toBeUndefined();
  expect(connections.add(socketOf("10.0.0.2"))).toBeDefined();
  for (let count = 0; count < 5; count++) expect(connections.add(socketOf("::ffff:127.0.0.1"))).toBeDefined();
  expect(connections.size).toBe(8);
  await closed(first);
  expect(connections.size).toBe(7);
  expect(connections.add(socketOf("10.0.0.1"))).toBeDefined();
});

test("a client that has gone already, and has no address, is not let in", () => {
  expect(new Connections(0).add(new Socket())).toBeUndefined();
});

test("a proxy is many clients, and has no bound", () => {
  const connections = new Connections(1, (address) => address === "10.0.0.1");
  const added = ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"].map((address) => connections.add(socketOf(address)));
  expect(added.map((one) => one !== undefined)).toEqual([true, true, true, false]);
});

test("no bound is none", () => {
  const connections = new Connections(0);
  for (let count = 0; count < 500; count++) expect(connections.add(socketOf("10.0.0.1"))).toBeDefined();
});
