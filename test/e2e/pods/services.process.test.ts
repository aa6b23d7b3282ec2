import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { publishBusybox } from "../../support/busybox.ts";
import { type Kubectl, needKubectl } from "../../support/kubectl.ts";
import { freePort, Platform } from "../../support/platform.ts";
import { Workshop } from "../../support/workshop.ts";

// Services as pods find them: names, addresses and what is behind them, for native pods and for components.

let platform: Platform;
let kubectl: Kubectl;
let workshop: Workshop;
let directory: string;
let hostPort: number;

/** Says what it is told to ask for. */
const askScript = `export default {
  async fetch(request) {
    const url = new URL(request.url).searchParams.get("url");
    if (url === null) return new Response("component\\n");
    try {
      return new Response(await (await fetch(url)).text());
    } catch (error) {
      return new Response("failed: " + (error.cause?.code ?? error), { status: 502 });
    }
  },
};`;

/** The authority of the cluster is nobody's that programs know. */
const trusting = ["--env", "NODE_TLS_REJECT_UNAUTHORIZED=0"];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-services-"));
  [workshop, platform] = await Promise.all([Workshop.open(), Platform.start()]);
  kubectl = await needKubectl(platform.kubeconfig);
  await publishBusybox(platform, directory);
  await workshop.publish(platform, "asks", { script: askScript, native: askScript });
  await k("create namespace other");
  hostPort = await freePort();
  await k(
    "apply -f -",
    list([
      pod("web-1", { app: "web" }, { hostname: "web-1", subdomain: "peers" }),
      pod("web-2", { app: "web" }, { hostname: "web-2", subdomain: "peers" }),
      service("web", { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "web" }] }),
      service("peers", { clusterIP: "None", selector: { app: "web" }, ports: [{ name: "http", port: 8080 }] }),
      pod(
        "guest",
        { app: "guest" },
        { containers: [{ name: "c", image: "asks:1", ports: [{ containerPort: 8080, hostPort }] }] },
      ),
      service("guest", { selector: { app: "guest" }, ports: [{ port: 80, targetPort: 8080 }] }),
      service("alias", { type: "ExternalName", externalName: "web.default.svc.cluster.local" }),
      service("nobody", { selector: { app: "nobody" }, ports: [{ port: 80 }] }),
    ]),
  );
  await platform.run("deploy", "asks", "--image", "asks:1");
  await platform.run("deploy", "native", "--image", "asks:1", "--only-variant", "native", ...trusting);
  await platform.run("deploy", "far", "--namespace", "other", "--image", "asks:1", "--only-variant", "native");
  await k("wait --for=condition=Ready pod/web-1 pod/web-2 pod/guest --timeout=30s");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const list = (items: readonly object[]): string => JSON.stringify({ apiVersion: "v1", kind: "List", items });

const container = { name: "c", image: "busybox:1", ports: [{ name: "web", containerPort: 8080 }] };

const pod = (name: string, labels: object, spec: object): object => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { name, labels } },
  spec: { terminationGracePeriodSeconds: 0, containers: [container], ...spec },
});

const service = (name: string, spec: object): object => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: { name }, spec },
});

async function k(args: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args.split(" "), input);
  expect(code, `kubectl ${args}: ${stderr}`).toBe(0);
  return stdout;
}

const shell = (script: string, where = "web-1"): Promise<string> =>
  kubectl(["exec", where, "--", "sh", "-c", script]).then(({ stdout, stderr }) => stdout + stderr);

const sorted = (texts: readonly string[]): string => texts.toSorted((a, b) => (a < b ? -1 : 1)).join(" ");

/** Addresses of a name, as the pod's resolver finds them. */
const lookUp = async (name: string): Promise<string> => {
  const said = await shell(`nslookup -type=a ${name}`);
  return sorted([...said.matchAll(/Address: (\d[\d.]+)\n/g)].map(([, address = ""]) => address));
};

/** What a pod of that Service of Knative gets that asks for it. */
const get = async (url: string, from = "native.default"): Promise<string> =>
  (await platform.ask(from, `/?url=${encodeURIComponent(url)}`)).body;

test("resolv.conf is as Kubernetes writes it", async () => {
  expect(await shell("cat /etc/resolv.conf")).toMatch(
    /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local.*\nnameserver \d+\.\d+\.\d+\.1\noptions ndots:5/,
  );
});

test("a Service has an address, which its names lead to and which leads to its pods", async () => {
  const address = await k("get service web -o jsonpath={.spec.clusterIP}");
  expect(address).toMatch(/^10\.(9[6-9]|10[0-3])\./);
  await expect.poll(() => lookUp("web.default.svc.cluster.local")).toBe(address);
  for (const name of ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local", address]) {
    expect(await get(`http://${name}/`), name).toBe("hello from busybox\n");
  }
  expect(await get(`http://${address}:81/`)).toMatch(/failed: .*(ECONNREFUSED|ECONNRESET)/);
  expect(await get("http://nobody/")).toMatch(/failed: (ECONNRESET|UND_ERR_SOCKET)/);
  expect(await get("http://nosuch/")).toBe("failed: ENOTFOUND");
});

test("kubernetes.default.svc leads to the API server", async () => {
  expect(await k("get svc -A")).toMatch(/default +kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/);
  for (const name of ["kubernetes", "kubernetes.default", "kubernetes.default.svc.cluster.local"])
    expect(await get(`https://${name}/readyz`), name).toBe("ok");
  // A component holds its certificate against authorities that are everybody's: the API server's is none of those.
  expect(await get("https://kubernetes.default.svc/readyz", "asks.default")).toMatch(/^failed: .*(certificate|TLS)/i);
});

test("a Service that stands for another name is an alias of it", async () => {
  expect(await k("get service alias")).toMatch(/alias +ExternalName +<none> +web\.default\.svc\.cluster\.local/);
  expect(await shell("nslookup -type=a alias.default.svc.cluster.local")).toMatch(/web\.default\.svc\.cluster\.local/);
  for (const from of ["native.default", "asks.default"])
    expect(await get("http://alias/", from)).toBe("hello from busybox\n");
});

test("a headless Service's names lead to its pods, one by one too, and its ports have names", async () => {
  const addresses = await k("get pods -l app=web -o jsonpath={.items[*].status.podIP}");
  await expect.poll(() => lookUp("peers.default.svc.cluster.local")).toBe(sorted(addresses.split(" ")));
  expect(await get("http://web-2.peers:8080/")).toBe("hello from busybox\n");
  const ports = await shell("nslookup -type=srv _http._tcp.peers.default.svc.cluster.local");
  expect(ports).toMatch(/8080 web-1\.peers\.default\.svc\.cluster\.local/);
  expect(await shell("nslookup -type=srv _http._tcp.web.default.svc.cluster.local")).toMatch(/ 80 web\.default\.svc/);
});

test("from another namespace, and with a policy of one's own", async () => {
  const dnsConfig = { nameservers: ["1.1.1.1"], searches: ["my.dns"], options: [{ name: "ndots", value: "2" }] };
  await k("apply -n other -f -", list([pod("own", {}, { dnsPolicy: "None", dnsConfig })]));
  await k("wait -n other --for=condition=Ready pod/own --timeout=30s");
  expect(await get("http://web.default/", "far.other")).toBe("hello from busybox\n");
  expect(await get("http://web/", "far.other")).toBe("failed: ENOTFOUND");
  expect(await k("exec -n other own -- cat /etc/resolv.conf")).toBe(
    "search my.dns\nnameserver 1.1.1.1\noptions ndots:2\n",
  );
});

test("a component behind a Service answers HTTP there, and Knative's names lead to the gateway", async () => {
  expect(await get("http://guest/")).toBe("component\n");
  expect(await get("http://asks.default.svc.cluster.local/")).toBe("component\n");
  expect(await get("http://asks.default/")).toBe("component\n");
});

test("port-forward and hostPort speak HTTP with a component", async () => {
  const port = await freePort();
  await using forward = kubectl.start(["port-forward", "pod/guest", `${String(port)}:8080`]);
  await forward.waitFor(/Forwarding from 127/);
  for (const at of [port, hostPort]) {
    for (const path of ["/", "/?again"]) {
      const answer = await fetch(`http://127.0.0.1:${String(at)}${path}`);
      expect([answer.status, await answer.text()]).toEqual([200, "component\n"]);
    }
  }
});

test("components find the same names", async () => {
  for (const name of ["web", "web.default.svc.cluster.local", "peers:8080"]) {
    expect(await get(`http://${name}/`, "asks.default"), name).toBe("hello from busybox\n");
  }
  expect(await get("http://guest/", "asks.default")).toBe("component\n");
  expect(await get("http://asks.default/", "asks.default")).toBe("component\n");
  expect(await get("http://nosuch.default.svc.cluster.local/", "asks.default")).toMatch(/^failed/);
});

test("pods that come and go", async () => {
  await k("delete pod web-1 web-2 --timeout=20s");
  await expect.poll(() => get("http://web/")).toMatch(/^failed/);
  await k("apply -f -", list([pod("web-3", { app: "web" }, {})]));
  await expect.poll(() => get("http://web/")).toBe("hello from busybox\n");
});
