import { SocketAddress } from "node:net";
import { assert, unreachable } from "@shallop/sdk/internal";

/** What goes over a connection that was asked for UDP, both ways. */
export type DatagramFrame =
  /** To, or from, an address. */
  | { readonly kind: "datagram"; readonly address: string; readonly port: number; readonly data: Uint8Array }
  /** Host process → proxy. */
  | { readonly kind: "options"; readonly options: DatagramOptions }
  /** Proxy → host process: a datagram could not be sent. */
  | { readonly kind: "failed"; readonly errno: string };

export interface DatagramOptions {
  readonly hopLimit?: number | undefined;
  readonly receiveBytes?: number | undefined;
  readonly sendBytes?: number | undefined;
}

// Length of what follows the head (16 bits), kind, port (16 bits), length of the address (8 bits).
const headBytes = 6;
const kinds = ["datagram", "options", "failed"] as const;
/** IPv4: 65,535 less two headers; a frame's length has 16 bits. */
const payloadBytesMax = 65_535;
// A scope may follow an IPv6 address.
const addressBytesMax = 64;

export function encodeFrame(frame: DatagramFrame): Buffer {
  switch (frame.kind) {
    case "datagram":
      return encode(frame.kind, frame.data, frame);
    case "options":
      return encode(frame.kind, Buffer.from(JSON.stringify(frame.options)));
    case "failed":
      return encode(frame.kind, Buffer.from(frame.errno));
    default:
      return unreachable(frame);
  }
}

function encode(
  kind: DatagramFrame["kind"],
  payload: Uint8Array,
  end: { readonly address: string; readonly port: number } = { address: "", port: 0 },
): Buffer {
  const address = Buffer.from(end.address, "latin1");
  assert(payload.length <= payloadBytesMax && address.length <= addressBytesMax, "a frame is too long");
  const frame = Buffer.alloc(headBytes + address.length + payload.length);
  frame.writeUInt16LE(payload.length, 0);
  frame.writeUInt8(kinds.indexOf(kind), 2);
  frame.writeUInt16LE(end.port, 3);
  frame.writeUInt8(address.length, 5);
  frame.set(address, headBytes);
  frame.set(payload, headBytes + address.length);
  return frame;
}

/** Bytes in, frames out. What is no frame is `undefined`, once, and ends it. */
export class FrameReader {
  readonly #frame: (frame: DatagramFrame | undefined) => void;
  #waiting: Buffer = Buffer.alloc(0);
  #broken = false;

  constructor(frame: (frame: DatagramFrame | undefined) => void) {
    this.#frame = frame;
  }

  push(chunk: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    while (!this.#broken && this.#waiting.length >= headBytes) {
      const addressBytes = this.#waiting.readUInt8(5);
      const total = headBytes + addressBytes + this.#waiting.readUInt16LE(0);
      if (this.#waiting.length < total) return;
      const frame = decode(this.#waiting.subarray(0, total), addressBytes);
      this.#waiting = this.#waiting.subarray(total);
      this.#broken = frame === undefined;
      this.#frame(frame);
    }
  }
}

function decode(bytes: Buffer, addressBytes: number): DatagramFrame | undefined {
  const kind = kinds[bytes.readUInt8(2)];
  const payload = bytes.subarray(headBytes + addressBytes);
  switch (kind) {
    case "datagram": {
      const address = bytes.toString("latin1", headBytes, headBytes + addressBytes);
      const port = bytes.readUInt16LE(3);
      return isAddress(address) ? { kind, address, port, data: payload } : undefined;
    }
    case "options":
      return decodeOptions(payload.toString());
    case "failed":
      return { kind, errno: payload.toString() };
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

/** As the operating system writes it, maybe with a scope. */
function isAddress(text: string): boolean {
  const bare = text.replace(/%[\w.-]*$/, "");
  return SocketAddress.parse(bare.includes(":") ? `[${bare}]:0` : `${bare}:0`) !== undefined;
}

function decodeOptions(text: string): DatagramFrame | undefined {
  try {
    const value = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const number = (name: string): number | undefined => {
      const wish = value[name];
      return typeof wish === "number" && Number.isSafeInteger(wish) && wish > 0 ? wish : undefined;
    };
    const options = {
      hopLimit: number("hopLimit"),
      receiveBytes: number("receiveBytes"),
      sendBytes: number("sendBytes"),
    };
    return { kind: "options", options };
  } catch {
    return undefined;
  }
}
