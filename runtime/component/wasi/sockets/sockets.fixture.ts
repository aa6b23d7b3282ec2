import type { LookupAddress } from "node:dns";
import { addressJudge } from "../../egress/address-judge.ts";
import { Egress } from "../../egress/egress.ts";
import { testContext } from "../context.fixture.ts";
import type { GuestBounds, GuestContext } from "../guest-context.ts";
import type { Pollable } from "../io-poll.ts";
import type { Result } from "../result.ts";
import { type IpSocketAddress, socketAddress } from "./ip-address.ts";
import { Network } from "./network.ts";
import type { NetworkErrorCode } from "./network-error.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UdpSocket } from "./udp-socket.ts";

/** A guest with sockets, and what it may do with them. */
export class Guest implements Disposable {
  readonly context: GuestContext;
  readonly network: Network;

  constructor(
    options: {
      readonly allowed?: readonly string[];
      readonly listen?: boolean;
      readonly bounds?: Partial<GuestBounds>;
      readonly names?: Readonly<Record<string, readonly LookupAddress[] | Error>>;
    } = {},
  ) {
    const resolve = (name: string): Promise<readonly LookupAddress[]> => {
      const found = options.names?.[name] ?? [];
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    };
    const judge = addressJudge({ allowed: options.allowed ?? [] });
    const egress = new Egress(judge, resolve, { listen: options.listen ?? false });
    this.context = testContext(options.bounds, { egress }).context;
    this.network = new Network(this.context);
  }

  tcp(): TcpSocket {
    return must(TcpSocket.create(this.context, "ipv4"));
  }

  udp(): UdpSocket {
    return must(UdpSocket.create(this.context, "ipv4"));
  }

  [Symbol.dispose](): void {
    this.context.end();
  }
}

export const at = (address: string, port = 0): IpSocketAddress => socketAddress(address, port);

export function must<Value>(result: Result<Value, unknown>): Value {
  if (result.tag === "err") throw new Error(`unexpected error ${JSON.stringify(result.val)}`);
  return result.val;
}

/** The code of an error, or `ok`. */
export const codeOf = (result: Result<unknown, NetworkErrorCode>): NetworkErrorCode | "ok" =>
  result.tag === "ok" ? "ok" : result.val;

/** Asks again, as guests do: until it is not `would-block` any more. */
export async function whenDone<Value>(
  subject: { subscribe(): Pollable },
  ask: () => Result<Value, NetworkErrorCode>,
): Promise<Result<Value, NetworkErrorCode>> {
  for (;;) {
    const result = ask();
    if (result.tag === "ok" || result.val !== "would-block") return result;
    const pollable = subject.subscribe();
    await pollable.block();
    pollable[Symbol.dispose]();
  }
}
