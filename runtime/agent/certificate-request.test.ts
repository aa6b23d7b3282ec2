import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { expect, test } from "vitest";
import { requestCertificate } from "./certificate-request.ts";

test("a request names the node and its addresses, and is signed with its key", async () => {
  const addresses = ["127.0.0.1", "10.1.2.3", "::1", "2001:db8::7", "fe80::1:2", "node-1", "localhost"];
  const { key, request } = requestCertificate("node-1", addresses);
  const parsed = new x509.Pkcs10CertificateRequest(request);
  expect(await parsed.verify(webcrypto)).toBe(true);
  expect(parsed.subject).toBe("O=system:nodes, CN=system:node:node-1");
  const san = parsed.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
  const names = san?.names.toJSON() ?? [];
  expect(names.map(({ value }) => value)).toEqual(addresses);
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
});

test("each request has a key of its own, and a long one is well-formed too", async () => {
  const many = Array.from({ length: 100 }, (_, n) => `host-${String(n)}.example.org`);
  const [a, b] = [requestCertificate("n", many), requestCertificate("n", many)];
  expect(a.key).not.toBe(b.key);
  expect(await new x509.Pkcs10CertificateRequest(a.request).verify(webcrypto)).toBe(true);
});
