import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { DatagramReader, encodeDatagram, passGate } from "@shallop/sdk/wire";
import type { PodAddress } from "../tunnel.ts";

/** The way of one client's datagrams to a pod, and back. */
export interface DatagramPath extends Disposable {
  /** What cannot be delivered is lost, as datagrams are. */
  send(datagram: Uint8Array): void;
}

interface DatagramEvents {
  /** An answer. */
  readonly received: (datagram: Uint8Array) => void;
  /** It leads nowhere any more. */
  readonly ended: () => void;
}

/** Opens a way for one more client. */
export type DatagramTarget = (events: DatagramEvents) => DatagramPath;

/** A UDP port of a pod. */
export const datagramTarget =
  ({ host, port, gate }: PodAddress): DatagramTarget =>
  (events) =>
    gate === undefined ? directPath(host, port, events) : gatedPath(gate, { host, port }, events);

function directPath(host: string, port: number, { received }: DatagramEvents): DatagramPath {
  const socket = createSocket("udp4");
  socket.on("error", () => undefined).unref();
  socket.on("message", received);
  return {
    send: (datagram) => socket.send(datagram, port, host),
    [Symbol.dispose]: () => void socket.close(),
  };
}

// What a gate that does not read may owe of one client; more is lost.
const pendingBytesMax = 256 * 1024;

function gatedPath(gate: string, address: Omit<PodAddress, "gate">, { received, ended }: DatagramEvents): DatagramPath {
  const socket = connect({ path: gate });
  const reader = new DatagramReader(received);
  socket.on("error", () => socket.destroy()).once("close", ended);
  passGate(socket, { ...address, protocol: "udp" }).then(
    () => void socket.on("data", (chunk: Buffer) => reader.push(chunk)).resume(),
    () => socket.destroy(),
  );
  return {
    send: (datagram) => {
      const frame = encodeDatagram(datagram);
      if (frame !== undefined && socket.writable && socket.writableLength < pendingBytesMax) socket.write(frame);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
