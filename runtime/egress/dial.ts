import type { LookupAddress } from "node:dns";
import { connect, isIP, type Socket } from "node:net";
import { EgressFault, type Egress } from "../component/egress/egress.ts";
import { type GatedAddress, passGate } from "@shallop/sdk/wire";
import type { ClusterServices } from "./cluster-services.ts";
import type { EgressEnd, EgressRequest } from "./egress-protocol.ts";

export interface Dialled {
  readonly connection: Socket;
  readonly ends: { readonly local: EgressEnd; readonly remote: EgressEnd };
}

// Of the addresses of one name; those behind are the same service's.
const addressesMax = 4;
// To one address; whoever asked gives up by himself, or does not.
const connectTimeoutMs = 30_000;

/**
 * A connection to the first address of the host that takes one. The name is resolved once, and what is connected to are
 * addresses that have been judged. `socket` is whose it is, of the pod `pod`: when that closes, nothing is connected to any more.
 * @throws EgressFault, or what the system says
 */
export async function dial(
  egress: Egress,
  request: Extract<EgressRequest, { want: "tcp" }>,
  {
    socket,
    services,
    pod,
    gate,
  }: {
    readonly socket: Socket;
    readonly services: ClusterServices;
    readonly pod?: string | undefined;
    /** A unix socket by which native pods are reached, where their network is not the machine's. */
    readonly gate?: string | undefined;
  },
): Promise<Dialled> {
  const host = request.host.replace(/^\[|\]$/g, "");
  egress.checkLiteral(host);
  const family = isIP(host);
  const addresses: readonly LookupAddress[] =
    family === 0 ? await egress.addressesOf(host) : [{ address: host, family }];
  let failure: unknown = new EgressFault("DNS", `${host} has no address`);
  for (const { address } of addresses.slice(0, addressesMax)) {
    if (socket.destroyed) break;
    try {
      const end = services.endOf({ address, port: request.port }, pod);
      if (end === undefined) return await open(address, request, socket);
      const onward = { ...request, port: end.port };
      const { connection, ends } = await (end.isPod === true && gate !== undefined
        ? openGated(gate, { host: end.address, port: end.port }, socket)
        : open(end.address, onward, socket));
      // Doors are the node's affair.
      return { connection, ends: { ...ends, remote: { address, port: request.port } } };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function open(address: string, { port, keepAlive }: Extract<EgressRequest, { want: "tcp" }>, socket: Socket) {
  return new Promise<Dialled>((resolve, reject) => {
    // An address: nothing is looked up.
    const connection = connect({ host: address, port, allowHalfOpen: true, autoSelectFamily: false });
    const abandon = (): void => void connection.destroy(new Error("nobody waits for it"));
    socket.once("close", abandon);
    connection.setTimeout(connectTimeoutMs, () => connection.destroy(timedOut(address)));
    connection.once("error", reject);
    connection.once("connect", () => {
      socket.off("close", abandon);
      connection.setTimeout(0);
      connection.setNoDelay(true);
      if (keepAlive !== undefined) {
        connection.setKeepAlive(true, keepAlive.idleMs, keepAlive.intervalMs, keepAlive.count);
      }
      const { localAddress = "", localPort = 0, remoteAddress = address, remotePort = port } = connection;
      resolve({
        connection,
        ends: {
          local: { address: localAddress, port: localPort },
          remote: { address: remoteAddress, port: remotePort },
        },
      });
    });
  });
}

async function openGated(gate: string, { host, port }: GatedAddress, socket: Socket): Promise<Dialled> {
  const connection = connect({ path: gate, allowHalfOpen: true, timeout: connectTimeoutMs });
  connection.once("timeout", () => connection.destroy(timedOut(host)));
  const abandon = (): void => void connection.destroy(new Error("nobody waits for it"));
  socket.once("close", abandon);
  try {
    await passGate(connection, { host, port });
  } catch (error) {
    connection.destroy();
    throw Object.assign(error instanceof Error ? error : new Error(String(error)), { code: "ECONNREFUSED" });
  } finally {
    socket.off("close", abandon);
  }
  connection.setTimeout(0);
  return { connection, ends: { local: { address: "", port: 0 }, remote: { address: host, port } } };
}

const timedOut = (address: string): Error =>
  Object.assign(new Error(`${address} does not answer`), { code: "ETIMEDOUT" });
