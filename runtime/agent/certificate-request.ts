import { generateKeyPairSync, sign } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { assert } from "@shallop/sdk/internal";

export interface KeyAndRequest {
  /** PKCS#8, PEM. Never leaves this machine. */
  readonly key: string;
  /** PKCS#10, PEM. */
  readonly request: string;
}

// Object identifiers, as the bytes of their DER.
const oid = {
  organisation: [0x55, 0x04, 0x0a],
  commonName: [0x55, 0x04, 0x03],
  subjectAlternativeName: [0x55, 0x1d, 0x11],
  /** PKCS#9 `extensionRequest`, 1.2.840.113549.1.9.14. */
  extensionRequest: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e],
  /** 1.2.840.10045.4.3.2. */
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
} as const;

// Tags of X.690 (DER).
const tag = { bitString: 0x03, octetString: 0x04, oid: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31 } as const;

/**
 * Makes a P-256 key and asks for a certificate of it, for the user `system:node:NAME` at `addresses` (IP addresses and
 * names). RFC 2986. Written out here, because a library for X.509 takes longer to load than the rest of the agent, and
 * this is on the way of every start.
 */
export function requestCertificate(nodeName: string, addresses: readonly string[]): KeyAndRequest {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = sequence(
    attribute(oid.organisation, "system:nodes"),
    attribute(oid.commonName, `system:node:${nodeName}`),
  );
  const names = der(tag.octetString, sequence(...addresses.map(generalName)));
  const extensions = sequence(sequence(der(tag.oid, oid.subjectAlternativeName), names));
  const attributes = sequence(der(tag.oid, oid.extensionRequest), der(tag.set, extensions));
  const version = Buffer.of(0x02, 0x01, 0x00);
  const publicInfo = publicKey.export({ type: "spki", format: "der" });
  const info = sequence(version, subject, publicInfo, der(0xa0, attributes));
  const signature = sign("sha256", info, privateKey);
  const request = sequence(
    info,
    sequence(der(tag.oid, oid.ecdsaWithSha256)),
    // A bit string begins with the number of its unused bits.
    der(tag.bitString, Buffer.concat([Buffer.of(0), signature])),
  );
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
    request: pem("CERTIFICATE REQUEST", request),
  };
}

const attribute = (type: readonly number[], value: string): Buffer =>
  der(tag.set, sequence(der(tag.oid, type), der(tag.utf8, Buffer.from(value))));

/** RFC 5280, 4.2.1.6: `[2]` is a DNS name, `[7]` an IP address as its bytes. */
function generalName(address: string): Buffer {
  if (isIPv4(address)) return der(0x87, address.split(".").map(Number));
  if (isIPv6(address)) return der(0x87, ipv6Bytes(address));
  return der(0x82, Buffer.from(address, "latin1"));
}

function ipv6Bytes(address: string): number[] {
  // The URL parser writes it with the zeros left out in one place, and no embedded IPv4.
  const plain = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const [head = "", tail] = plain.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(tag.sequence, Buffer.concat(parts));

function der(type: number, content: Buffer | readonly number[]): Buffer {
  const bytes = Buffer.from(content);
  const { length } = bytes;
  // Longer ones would need another form of the length; a request has some hundred bytes.
  assert(length < 0x1_0000, "a certificate request is small");
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(type, ...size), bytes]);
}

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
