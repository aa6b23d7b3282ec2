import { isIPv6 } from "node:net";
import { ipv6Groups } from "../component/egress/address-judge.ts";
import { answered, type NameQuestion, typeOf } from "./name-question.ts";

/** What a name of the cluster has. */
export interface NameRecords {
  readonly addresses: readonly string[];
  /** What is offered where (RFC 2782). */
  readonly services: readonly ServiceRecord[];
  /** The name whose records it has instead of its own: one that DNS can have, in small letters, without a last dot. */
  readonly alias?: string;
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

/** What is answered to a question for a name that there is. */
export interface Answer {
  /** Of the last of the aliases; of both families. */
  readonly records: NameRecords;
  /** Names from the one that was asked for to the one that has the records. */
  readonly aliases?: readonly string[];
  /** Which of the records is told first. */
  readonly turn: number;
  readonly bytesMax: number;
  /** RFC 1035, 4.1.1; of the last alias (RFC 6604). 0 when absent. */
  readonly code?: number;
}

export const typeA = 1;
export const typeAaaa = 28;
const [typeCname, typeSrv, typeAny] = [5, 33, 255];
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
export function nameAnswer(message: Uint8Array, question: NameQuestion, answer: Answer): Uint8Array {
  const { records, aliases = [], turn, bytesMax, code = 0 } = answer;
  const { type, isInternet } = typeOf(message, question);
  const wants = (one: number): boolean => isInternet && (type === one || type === typeAny);
  const parts: Buffer[] = [];
  let bytes = question.bytes;
  let owner = headerBytes;
  let isCut = false;
  const add = (kind: number, data: Buffer): void => {
    const one = record(owner, kind, data);
    isCut ||= bytes + one.length > bytesMax;
    if (isCut) return;
    parts.push(one);
    bytes += one.length;
  };
  for (const alias of isInternet ? aliases : []) {
    add(typeCname, nameBytes(alias));
    // What follows is of the name that has just been written.
    owner = bytes - nameBytes(alias).length;
  }
  const [six, four] = [records.addresses.filter(isIPv6), records.addresses.filter((address) => !isIPv6(address))];
  if (wants(typeA)) for (const address of rotated(four, turn)) add(typeA, addressBytes(address));
  if (wants(typeAaaa)) for (const address of rotated(six, turn)) add(typeAaaa, wideAddressBytes(address));
  if (wants(typeSrv)) for (const service of rotated(records.services, turn)) add(typeSrv, serviceBytes(service));
  // Of addresses some are enough; an alias whose addresses do not fit is asked for again over TCP.
  const isTruncated = isCut && aliases.length > 0;
  return Buffer.concat([answered(message, question, { code, records: parts.length, isTruncated }), ...parts]);
}

function rotated<T>(list: readonly T[], turn: number): readonly T[] {
  const from = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}

/** A record of a name that was written before: a pointer to where (RFC 1035, 4.1.4). */
function record(owner: number, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc0_00 | owner, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(classIn, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const addressBytes = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

const wideAddressBytes = (address: string): Buffer =>
  Buffer.from((ipv6Groups(address) ?? []).flatMap((group) => [group >> 8, group & 255]));

/** Priority, weight, port, target; the target is not compressed (RFC 2782). */
const serviceBytes = ({ port, target }: ServiceRecord): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 100, port >> 8, port & 255]), nameBytes(target)]);

function nameBytes(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}
