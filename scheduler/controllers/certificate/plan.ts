import {
  anyHost,
  type ApiObject,
  type DomainMapping,
  type Gateway,
  type Ingress,
  type Secret,
  secretType,
} from "@shallop/sdk/api";
import type { IssuerName } from "./issuer.ts";

/** On an Ingress, Gateway or DomainMapping: who is to issue the certificates that it names. */
export const issuerAnnotation = "shallop.dev/issuer";
/** On a Secret that was issued: for which names, and from when on it is to be replaced (milliseconds since 1970). */
export const namesAnnotation = "shallop.dev/certificate-names";
export const renewAtAnnotation = "shallop.dev/renew-at";

/** The certificate of the platform's own hosts; the gateway looks for it by this name. */
const domainSecret = { namespace: "kube-system", name: "shallop-domain-tls" } as const;

// X.509 admits more; a certificate is sent at every handshake.
const namesMax = 100;

export interface WantedCertificate {
  readonly namespace: string;
  readonly name: string;
  readonly issuer: IssuerName;
  /** In order. */
  readonly names: readonly string[];
}

export interface CertificateWorld {
  readonly ingresses: Iterable<Ingress>;
  readonly gateways: Iterable<Gateway>;
  readonly domainMappings: Iterable<DomainMapping>;
  readonly namespaces: readonly string[];
  readonly domain: string;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  readonly has: (issuer: IssuerName) => boolean;
  readonly wallMs: number;
}

/** Which secrets have to be issued now: those that are missing, for other names, or too old. Others' are left alone. */
export function planCertificates(world: CertificateWorld): readonly WantedCertificate[] {
  return wanted(world).filter((certificate) => {
    const secret = world.secret(certificate.namespace, certificate.name);
    if (!world.has(certificate.issuer)) return false;
    if (secret === undefined) return true;
    const { annotations = {} } = secret.metadata;
    if (secret.type !== secretType.tls || annotations[issuerAnnotation] === undefined) return false;
    const isSame =
      annotations[namesAnnotation] === certificate.names.join(",") &&
      annotations[issuerAnnotation] === certificate.issuer;
    return !isSame || Number(annotations[renewAtAnnotation] ?? 0) <= world.wallMs;
  });
}

function wanted({ ingresses, gateways, domainMappings, namespaces, domain }: CertificateWorld): WantedCertificate[] {
  const found = new Map<string, WantedCertificate>();
  const want = (owner: ApiObject, name: string | undefined, names: readonly string[]): void => {
    const issuer = owner.metadata.annotations?.[issuerAnnotation];
    const hosts = names.filter((host) => host !== "" && host !== anyHost);
    if ((issuer !== "internal" && issuer !== "acme") || name === undefined || hosts.length === 0) return;
    const { namespace = "" } = owner.metadata;
    const before = found.get(`${namespace}/${name}`);
    found.set(`${namespace}/${name}`, { namespace, name, issuer, names: sorted([...(before?.names ?? []), ...hosts]) });
  };
  for (const ingress of ingresses)
    for (const { hosts = [], secretName } of ingress.spec?.tls ?? [])
      want(ingress, secretName, hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).map(({ host = "" }) => host));
  for (const gateway of gateways)
    for (const { hostname = "", tls } of gateway.spec.listeners)
      for (const { name, namespace } of tls?.certificateRefs ?? [])
        if (namespace === undefined || namespace === gateway.metadata.namespace) want(gateway, name, [hostname]);
  for (const mapping of domainMappings) want(mapping, mapping.spec.tls?.secretName, [mapping.metadata.name]);
  const own = ["", ...sorted(namespaces).map((namespace) => `*.${namespace}.`)].map((prefix) => `${prefix}${domain}`);
  return [{ ...domainSecret, issuer: "internal", names: own.slice(0, namesMax) }, ...found.values()];
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted().slice(0, namesMax);
