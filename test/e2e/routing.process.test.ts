import { readFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { whoScript } from "../support/behaviours.ts";
import { needKubectl, type Kubectl } from "../support/kubectl.ts";
import { ask, eventually, Platform } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";

// Everything that routes requests, applied with stock kubectl to a whole platform, and asked over HTTP and HTTPS.

let platform: Platform;
let workshop: Workshop;
let kubectl: Kubectl;
let httpsPort: number;

beforeAll(async () => {
  workshop = await Workshop.open();
  httpsPort = await freePort();
  platform = await Platform.start({
    args: ["--https-port", String(httpsPort), "--gateway", "header-count-max=60"],
  });
  kubectl = await needKubectl(platform.kubeconfig);
  await workshop.publish(platform, "who", { script: whoScript });
  await platform.run("deploy", "who", "--image", "who:1", "--env", "WHO=me");
  await k(["apply", "-f", "-"], manifests);
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

/** Standard output of a command that must succeed. */
async function k(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const manifests = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: shallop
  listeners: [{ name: http, port: 80, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [shop.example.com]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /api } }]
      filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier: { set: [{ name: X-Routed, value: "yes" }] }
      backendRefs: [{ group: serving.knative.dev, kind: Service, name: who }]
    - matches: [{ path: { type: Exact, value: /old } }]
      filters:
        - type: RequestRedirect
          requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /api }, statusCode: 301 }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: { shallop.dev/issuer: internal } }
spec:
  tls: [{ hosts: [web.example.com], secretName: web-tls }]
  rules:
    - host: web.example.com
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: pods, port: { number: 80 } } } }] }
---
apiVersion: v1
kind: Service
metadata: { name: pods }
spec:
  selector: { serving.knative.dev/service: who }
  ports: [{ port: 80 }]
---
apiVersion: serving.knative.dev/v1beta1
kind: DomainMapping
metadata: { name: www.mapped.com }
spec: { ref: { apiVersion: serving.knative.dev/v1, kind: Service, name: who } }
---
apiVersion: shallop.dev/v1
kind: TrafficPolicy
metadata: { name: limits }
spec:
  targetRefs: [{ group: serving.knative.dev, kind: DomainMapping, name: www.mapped.com }]
  rateLimits: [{ requests: 3, period: 1h }]
---
apiVersion: v1
kind: Secret
metadata: { name: users }
type: kubernetes.io/basic-auth
stringData: { username: ann, password: secret }
`;

const answered = (host: string, path = "/") =>
  eventually(`${host}${path} answers`, async () => {
    const answer = await asked(host, path);
    return answer.status === 200 ? answer : undefined;
  });
const asked = (host: string, path = "/") => ask(platform.ports.gateway, { host, path });

test("a HTTPRoute: prefix, headers of the answer, a redirect, and 404 for what it does not take", async () => {
  const api = await answered("shop.example.com", "/api/x");
  expect([api.body, api.headers["x-routed"]]).toEqual(["me\n", "yes"]);
  const old = await asked("shop.example.com", "/old");
  expect([old.status, old.headers["location"]]).toEqual([301, "http://shop.example.com/api"]);
  expect((await asked("shop.example.com", "/other")).status).toBe(404);
});

test("an Ingress to a Service of core/v1, whose pods it selects; kubectl describes both", async () => {
  const answer = await answered("web.example.com");
  expect(answer.body).toBe("me\n");
  expect(await k(["get", "ingress", "web"])).toMatch(/web +<none> +web\.example\.com +127\.0\.0\.1 +80, 443/);
  expect(await k(["describe", "ingress", "web"])).toMatch(/web\.example\.com/);
  expect(await k(["describe", "service", "pods"])).toMatch(/Selector: +serving\.knative\.dev\/service=who/);
  expect(await k(["get", "endpointslices"])).toMatch(/pods-shallop +IPv4 +80/);
});

test("a DomainMapping answers at its own host, under its policy's rate", async () => {
  expect(await k(["wait", "--for=condition=Ready", "domainmapping/www.mapped.com", "--timeout=20s"])).toContain("met");
  const statuses: number[] = [];
  for (let count = 0; count < 4; count++) statuses.push((await asked("www.mapped.com")).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  expect(await k(["get", "trafficpolicy", "limits"])).toMatch(
    /limits +DomainMapping\/www\.mapped\.com +True +Accepted/,
  );
});

test("HTTPS with certificates of the cluster's authority: the platform's hosts, and what asks for one", async () => {
  const authority = await readFile(join(platform.dataDirectory, "pki/ca.crt"), "utf8");
  const secure = (host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = {
        port: httpsPort,
        host: "127.0.0.1",
        servername: host,
        headers: { host },
        ca: authority,
        agent: false,
      };
      const request = httpsRequest(options, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(text));
      });
      request.on("error", reject);
      request.end();
    });
  for (const host of ["who.default.localhost", "web.example.com"]) {
    await eventually(`${host} answers over TLS`, async () => ((await secure(host)) === "me\n" ? true : undefined));
  }
  expect(await k(["get", "secret", "web-tls"])).toMatch(/web-tls +kubernetes\.io\/tls +2/);
});

test("every kind has columns, and says what is wrong with what is not one of it", async () => {
  expect(await k(["get", "gatewayclass"])).toMatch(/shallop +shallop\.dev\/gateway +True/);
  expect(await k(["get", "gateway", "edge"])).toMatch(/edge +shallop +127\.0\.0\.1 +True/);
  expect(await k(["get", "httproute"])).toMatch(/shop +\["shop\.example\.com"\]/);
  expect(await k(["get", "secret", "users", "-o", "jsonpath={.data.password}"])).toBe("c2VjcmV0");
  expect(await k(["describe", "httproute", "shop"])).toMatch(/Reason: +ResolvedRefs/);
  const bad = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: bad }
spec: { hostnames: ["10.0.0.1"], rules: [{ backendRefs: [{ name: a }] }] }
`;
  const { code, stderr } = await kubectl(["apply", "-f", "-"], bad);
  expect(code).toBe(1);
  expect(stderr).toMatch(/spec\.hostnames\[0\].*must be a DNS name/);
  expect(stderr).toMatch(/Must have port for Service reference/);
});

test("a Hono application has WebSockets, and its other routes speak to them", async () => {
  await platform.run("build", fileURLToPath(new URL("../../samples/hono-chat", import.meta.url)), "--push");
  await platform.run("deploy", "rooms", "--image", "hono-chat:1.0.0");
  const url = `ws://127.0.0.1:${platform.ports.gateway}/rooms/lobby`;
  const said: string[][] = [[], []];
  const sockets = said.map((lines) => {
    const socket = new WebSocket(url, { headers: { host: "rooms.default.localhost" } });
    socket.on("message", (data: Buffer) => lines.push(data.toString()));
    return socket;
  });
  const heard = (count: number): Promise<unknown> =>
    eventually(`both have heard ${count}`, () =>
      Promise.resolve(said.every(({ length }) => length === count) ? true : undefined),
    );
  await heard(1);
  sockets[0]?.send("hello");
  await heard(2);
  const post = { host: "rooms.default.localhost", path: "/rooms/lobby", method: "POST", body: "by post" };
  const posted = await ask(platform.ports.gateway, post);
  expect([posted.status, posted.body]).toEqual([204, ""]);
  await heard(3);
  expect(said).toEqual([
    ["welcome to lobby", "(1) hello", "by post"],
    ["welcome to lobby", "hello", "by post"],
  ]);
  for (const socket of sockets) socket.terminate();
});
