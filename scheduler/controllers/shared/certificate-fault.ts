import { createPrivateKey, X509Certificate } from "node:crypto";
import { type Secret, secretType } from "@shallop/sdk/api";

const faults = new WeakMap<Secret, { readonly fault: string | undefined }>();

/** Why a secret holds no certificate that gateways can use; undefined: it does. Looked at once for each object. */
export function certificateFault(secret: Secret): string | undefined {
  let known = faults.get(secret);
  if (known === undefined) faults.set(secret, (known = { fault: findFault(secret) }));
  return known.fault;
}

function findFault({ type = "", data = {} }: Secret): string | undefined {
  if (type !== secretType.tls) return `it is of the type ${type}, not ${secretType.tls}`;
  const bytes = (key: string): Buffer => Buffer.from(data[key] ?? "", "base64");
  const certificate = parsed(() => new X509Certificate(bytes("tls.crt")));
  if (certificate === undefined) return "tls.crt is no certificate in PEM";
  const key = parsed(() => createPrivateKey(bytes("tls.key")));
  if (key === undefined) return "tls.key is no private key in PEM";
  return certificate.checkPrivateKey(key) ? undefined : "tls.key is not the key of tls.crt";
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
