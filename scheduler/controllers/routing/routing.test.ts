import {
  type ApiObject,
  coreServices,
  domainMappings,
  endpointSlices,
  gatewayClasses,
  gateways,
  httpRoutes,
  ingressClasses,
  ingresses,
  type NewObject,
  type Resource,
  secrets,
  trafficPolicies,
} from "@shallop/sdk/api";
import { expect, onTestFinished, test } from "vitest";
import { CertificateAuthority } from "../../api/pki/authority.ts";
import { World } from "../control-plane.fake.ts";

async function world(): Promise<World> {
  const started = await World.start(["n1"]);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

const make = async <T extends ApiObject>(
  { client }: World,
  resource: Resource<T>,
  name: string,
  rest: object,
): Promise<T> => {
  const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
  const metadata = { name, ...(resource.namespaced ? { namespace: "default" } : {}) };
  return client.create(resource, { apiVersion, kind: resource.kind, metadata, ...rest } as unknown as NewObject<T>);
};

/** Conditions as `TYPE=STATUS/REASON`. */
const told = (conditions: readonly { type: string; status: string; reason?: string }[] | undefined): string[] =>
  (conditions ?? []).map(({ type, status, reason }) => `${type}=${status}/${reason ?? ""}`);

async function keyPair(): Promise<{ readonly type: string; readonly data: Record<string, string> }> {
  const { authority } = await CertificateAuthority.create(0);
  const { certificate, key } = await authority.issue({ commonName: "example.com", usages: ["server"] }, 0);
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return { type: "kubernetes.io/tls", data: { "tls.crt": base64(certificate), "tls.key": base64(key) } };
}

const otherKey = ({ data }: { readonly data: Record<string, string> }) => ({ "tls.key": data["tls.key"] ?? "" });

test("an Ingress, which has no conditions, hears by an event that its certificate cannot be used", async () => {
  const here = await world();
  const tls = [{ hosts: ["example.com"], secretName: "cert" }];
  await make(here, ingresses, "web", {
    spec: { tls, defaultBackend: { service: { name: "web", port: { number: 80 } } } },
  });
  expect(await here.reasons()).not.toContain("CertificateInvalid");
  await make(here, secrets, "cert", { type: "kubernetes.io/tls", data: { "tls.crt": "YQ==", "tls.key": "YQ==" } });
  expect(await here.reasons()).toContain("CertificateInvalid");
});

test("the classes are there from the start, and are accepted", async () => {
  const { client } = await world();
  expect(told((await client.get(gatewayClasses, undefined, "shallop")).status?.conditions)).toEqual([
    "Accepted=True/Accepted",
  ]);
  expect((await client.get(ingressClasses, undefined, "shallop")).spec?.controller).toBe("shallop.dev/gateway");
});

test("a Gateway and a HTTPRoute say what became of them, and say it anew when the world changes", async () => {
  const here = await world();
  const { client } = here;
  await make(here, gateways, "edge", {
    spec: {
      gatewayClassName: "shallop",
      listeners: [
        { name: "http", port: 80, protocol: "HTTP" },
        { name: "https", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert" }] } },
      ],
    },
  });
  await make(here, httpRoutes, "web", {
    spec: {
      parentRefs: [{ name: "edge", sectionName: "http" }],
      hostnames: ["example.com"],
      rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
    },
  });
  await make(here, httpRoutes, "lost", { spec: { parentRefs: [{ name: "edge", sectionName: "none" }] } });
  await here.pass(1000);
  const edge = async () => (await client.get(gateways, "default", "edge")).status;
  const parent = async (name: string) =>
    told((await client.get(httpRoutes, "default", name)).status?.parents[0]?.conditions);
  expect(await edge()).toMatchObject({ addresses: [{ type: "IPAddress", value: "127.0.0.1" }] });
  expect((await edge())?.listeners?.map(({ name, attachedRoutes }) => [name, attachedRoutes])).toEqual([
    ["http", 1],
    ["https", 0],
  ]);
  expect(told((await edge())?.listeners?.[1]?.conditions)).toContain("ResolvedRefs=False/InvalidCertificateRef");
  expect(await parent("web")).toEqual(["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"]);
  expect(await parent("lost")).toContain("Accepted=False/NoMatchingParent");
  const tls = await keyPair();
  const broken = await make(here, secrets, "cert", { ...tls, data: { ...tls.data, ...otherKey(await keyPair()) } });
  await here.pass(1000);
  expect((await edge())?.listeners?.[1]?.conditions?.find(({ type }) => type === "ResolvedRefs")).toMatchObject({
    status: "False",
    reason: "InvalidCertificateRef",
    message: "Secret default/cert cannot be used: tls.key is not the key of tls.crt",
  });
  await client.update(secrets, { ...broken, data: tls.data });
  await make(here, coreServices, "web", { spec: { selector: { app: "web" }, ports: [{ port: 80 }] } });
  await here.pass(1000);
  expect(told((await edge())?.listeners?.[1]?.conditions)).toContain("ResolvedRefs=True/ResolvedRefs");
  expect(await parent("web")).toEqual(["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]);
  await client.delete(httpRoutes, { namespace: "default", name: "web" });
  await here.pass(1000);
  expect((await edge())?.listeners?.[0]?.attachedRoutes).toBe(0);
});

test("a listener that is not valid takes nothing from the others; a Gateway of nothing else is not accepted", async () => {
  const here = await world();
  const [good, bad] = [
    { name: "http", port: 80, protocol: "HTTP" },
    { name: "tcp", port: 9, protocol: "TCP" },
  ];
  await make(here, gateways, "some", { spec: { gatewayClassName: "shallop", listeners: [good, bad] } });
  await make(here, gateways, "none", { spec: { gatewayClassName: "shallop", listeners: [bad] } });
  await here.pass(1000);
  const of = async (name: string) => told((await here.client.get(gateways, "default", name)).status?.conditions);
  expect(await of("some")).toEqual(["Accepted=True/ListenersNotValid", "Programmed=True/Programmed"]);
  expect(await of("none")).toEqual(["Accepted=False/ListenersNotValid", "Programmed=False/Invalid"]);
});

test("an Ingress has the address of the gateway; another class's is left alone", async () => {
  const here = await world();
  const spec = { defaultBackend: { service: { name: "web", port: { number: 80 } } } };
  await make(here, ingresses, "mine", { spec });
  await make(here, ingresses, "theirs", { spec: { ...spec, ingressClassName: "nginx" } });
  await here.pass(1000);
  const address = async (name: string) => (await here.client.get(ingresses, "default", name)).status?.loadBalancer;
  expect(await address("mine")).toEqual({ ingress: [{ ip: "127.0.0.1" }] });
  expect(await address("theirs")).toEqual({});
});

test("a DomainMapping is ready with its service, and not when somebody has the domain", async () => {
  const here = await world();
  const ref = { apiVersion: "serving.knative.dev/v1", kind: "Service", name: "hello" };
  const ready = async () => {
    const { status } = await here.client.get(domainMappings, "default", "www.example.com");
    return status?.conditions?.find(({ type }) => type === "Ready");
  };
  await make(here, domainMappings, "www.example.com", { spec: { ref } });
  await here.pass(1000);
  expect(await ready()).toMatchObject({ status: "False", reason: "ResolveFailed" });
  await here.deploy("hello", "hello:1");
  await here.pass(5000);
  expect(await ready()).toMatchObject({ status: "True" });
});

test("a TrafficPolicy says whether its target and its secrets are there, and who was first", async () => {
  const here = await world();
  const targetRefs = [{ group: "networking.k8s.io", kind: "Ingress", name: "web" }];
  const basicAuth = { secrets: [{ name: "users" }] };
  await make(here, trafficPolicies, "a", { spec: { targetRefs, basicAuth } });
  await make(here, trafficPolicies, "b", { spec: { targetRefs } });
  await here.pass(1000);
  const conditions = async (name: string) =>
    told((await here.client.get(trafficPolicies, "default", name)).status?.conditions);
  expect(await conditions("a")).toEqual(["Accepted=False/TargetNotFound", "ResolvedRefs=False/SecretNotFound"]);
  await make(here, ingresses, "web", { spec: { defaultBackend: { service: { name: "web", port: { number: 80 } } } } });
  await make(here, secrets, "users", {
    type: "kubernetes.io/basic-auth",
    stringData: { username: "a", password: "b" },
  });
  await here.pass(1000);
  expect(await conditions("a")).toEqual(["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]);
  expect(await conditions("b")).toContain("Accepted=False/Conflicted");
});

test("a Service has a slice of the pods that it selects, which goes with it", async () => {
  const here = await world();
  await here.deploy("hello", "hello:1");
  await here.pass(5000);
  await make(here, coreServices, "mine", {
    spec: { selector: { "serving.knative.dev/service": "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await here.pass(1000);
  const slices = async () =>
    (await here.client.list(endpointSlices, { namespace: "default" })).items.filter(
      ({ metadata }) => metadata.name !== "kubernetes",
    );
  expect(
    (await slices()).map(({ metadata, ports }) => [metadata.labels?.["kubernetes.io/service-name"], ports?.[0]?.port]),
  ).toEqual([["mine", 8080]]);
  await here.client.delete(coreServices, { namespace: "default", name: "mine" });
  await here.pass(2000);
  expect(await slices()).toEqual([]);
});
