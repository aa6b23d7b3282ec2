import type { NameQuestion } from "./name-question.ts";

/** What a name of the cluster has. */
export interface NameRecords {
  readonly addresses: readonly string[];
  /** What is offered where (RFC 2782). */
  readonly services: readonly ServiceRecord[];
}

export interface ServiceRecord {
  readonly name: string;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  /** A name that has addresses. */
  readonly target: string;
}

/** Names that are the cluster's own. Undefined: there is no such name. */
export interface ClusterNames {
  recordsOf(name: string): NameRecords | undefined;
}

const [typeA, typeSrv, typeAny] = [1, 33, 255];
const classIn = 1;
// As Kubernetes' own name server: pods come and go.
const ttlSeconds = 5;
/** RFC 1035, 4.2.1: what every resolver takes over UDP. */
export const plainBytesMax = 512;
const headerBytes = 12;

/**
 * The answer to a question for a name that there is: of its records those that fit, beginning with the one at `turn`, so
 * that who takes the first one does not always take the same. A type that it has not is answered with nothing.
 */
export function nameAnswer(
  message: Uint8Array,
  question: NameQuestion,
  { records, turn, bytesMax }: { readonly records: NameRecords; readonly turn: number; readonly bytesMax: number },
): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const [type, kind] = [view.getUint16(question.bytes - 4), view.getUint16(question.bytes - 2)];
  const wants = (one: number): boolean => kind === classIn && (type === one || type === typeAny);
  const all = [
    ...(wants(typeA) ? rotated(records.addresses, turn).map((address) => record(typeA, addressBytes(address))) : []),
    ...(wants(typeSrv) ? rotated(records.services, turn).map((service) => record(typeSrv, serviceBytes(service))) : []),
  ];
  const head = Buffer.from(message.subarray(0, question.bytes));
  const parts: Buffer[] = [head];
  let bytes = head.length;
  for (const one of all) {
    if (bytes + one.length > bytesMax) break;
    parts.push(one);
    bytes += one.length;
  }
  // RFC 1035, 4.1.1: a response, of who knows (AA), with RD as it was and RA.
  head[2] = 0x84 | ((head[2] ?? 0) & 0x01);
  head[3] = 0x80;
  head.fill(0, 6, headerBytes);
  head.writeUInt16BE(parts.length - 1, 6);
  return Buffer.concat(parts);
}

function rotated<T>(list: readonly T[], turn: number): readonly T[] {
  const from = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}

/** A record of the name that was asked for: a pointer to it (RFC 1035, 4.1.4). */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt16BE(0xc0_00 | headerBytes, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(classIn, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const addressBytes = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

/** Priority, weight, port, target; the target is not compressed (RFC 2782). */
function serviceBytes({ port, target }: ServiceRecord): Buffer {
  const head = Buffer.from([0, 0, 0, 100, port >> 8, port & 255]);
  const labels = target.split(".").map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.of(0)]);
}
