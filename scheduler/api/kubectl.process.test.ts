import { afterAll, beforeAll, expect, test } from "vitest";
import { findKubectl, type Kubectl, type KubectlResult } from "../../test/support/kubectl.ts";
import { runApi, type RunningApi } from "./server.fixture.ts";

// What stock kubectl does, against the API server alone: no controllers, no nodes.

let running: RunningApi;
let kubectl: Kubectl;

beforeAll(async () => {
  running = await runApi({
    podLogs: {
      container: (agent, request) =>
        Promise.resolve(chunks(`${request.pod} on ${agent.node} ${request.query.toString()}\n`)),
      service: () => Promise.resolve(chunks("")),
    },
  });
  const found = await findKubectl(`${running.dataDir}/kubeconfig`);
  if (found === undefined) throw new Error("kubectl is not on the PATH; Debian has it as kubernetes-client");
  kubectl = found;
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await running?.[Symbol.asyncDispose]();
});

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

/** Standard output of a command that must succeed. */
async function k(command: string, input?: string): Promise<string> {
  const result = await run(command, input);
  if (result.code !== 0) throw new Error(`kubectl ${command}: ${result.stderr}`);
  return result.stdout;
}

const run = (command: string, input?: string): Promise<KubectlResult> =>
  kubectl(
    [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? ""),
    input,
  );

const pod = (name: string, image = "img:1", node?: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      containers: [{ name: "c", image, resources: { limits: { memory: "64Mi" } } }],
      ...(node === undefined ? {} : { nodeName: node }),
    },
  });

const service = (image: string, more = ""): string => `
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
spec:
  ${more}
  template:
    spec:
      containers:
        - image: ${image}
          env:
            - name: GREETING
              value: hi
`;

test("get in all forms", async () => {
  await k("create -f -", pod("forms"));
  expect(await k("get pods forms")).toMatch(/NAME +READY +STATUS +RESTARTS +AGE\nforms +0\/1 +Pending +0 +\d+s\n/);
  expect(await k("get pods forms -o wide")).toMatch(/IP +NODE +NOMINATED NODE +READINESS GATES/);
  expect(await k("get pod forms -o name")).toBe("pod/forms\n");
  expect(await k("get pod forms -o jsonpath={.spec.containers[0].image}")).toBe("img:1");
  expect(await k("get pods -A -l app=forms --field-selector status.phase=Pending --no-headers")).toContain("default");
  expect(await k("get pod forms -o yaml")).toContain("restartPolicy: Always\n");
  expect(JSON.parse(await k("get pods -o json"))).toMatchObject({ kind: "List" });
  expect(await k("get pods --sort-by=.metadata.name")).toContain("forms");
  expect(await k("get ns,nodes")).toContain("namespace/default");
  expect((await run("get pod nope")).stderr).toBe('Error from server (NotFound): pods "nope" not found\n');
});

test("get -w shows changes as they come", async () => {
  await using watching = kubectl.start(["get", "pods", "-w", "-l", "app=watched"]);
  await k("create -f -", pod("watched"));
  await watching.waitFor(/watched +0\/1 +Pending/);
  await k(`patch pod watched --subresource=status --type=merge -p '{"status":{"phase":"Running"}}'`);
  await watching.waitFor(/watched +0\/1 +Running/);
  await k("label pod watched app=other --overwrite");
  await k("delete pod watched");
});

test("wait for a condition, for a field, for a deletion", async () => {
  await k("create -f -", pod("waited"));
  const waiting = k("wait --for=condition=Ready pod/waited --timeout=20s");
  const ready = '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}';
  await k(`patch pod waited --subresource=status --type=merge -p '${ready}'`);
  expect(await waiting).toBe("pod/waited condition met\n");
  expect(await k("wait --for=jsonpath={.status.phase}=Running pod/waited --timeout=5s")).toContain("met");
  const gone = k("wait --for=delete pod/waited --timeout=20s");
  await k("delete pod waited");
  await gone;
  expect((await run("wait --for=condition=Ready pod/forms --timeout=1s")).code).toBe(1);
});

test("apply creates, changes, and leaves alone", async () => {
  expect(await k("apply -f -", service("hello:1"))).toBe("service.serving.knative.dev/hello created\n");
  expect(await k("apply -f -", service("hello:2"))).toBe("service.serving.knative.dev/hello configured\n");
  const version = await k("get ksvc hello -o jsonpath={.metadata.resourceVersion}");
  await k("apply -f -", service("hello:2"));
  expect(await k("get ksvc hello -o jsonpath={.metadata.resourceVersion}")).toBe(version);
  expect(await k("get ksvc hello -o jsonpath={.metadata.generation}")).toBe("2");
  await k("apply -f -", pod("applied"));
  expect(await k("apply -f -", pod("applied", "img:2"))).toContain("configured");
  expect(await k("get pod applied -o jsonpath={.spec.containers[0].image}")).toBe("img:2");
});

test("apply --server-side creates, changes, finds conflicts, takes fields, and takes away", async () => {
  const applied = "service.serving.knative.dev/sided serverside-applied\n";
  const sided = (image: string, labels = "{a: x}"): string =>
    service(image).replace("name: hello", `name: sided\n  labels: ${labels}`);
  const label = (name: string) => k(`get ksvc sided -o jsonpath={.metadata.labels.${name}}`);
  expect(await k("apply --server-side -f -", sided("hello:1", "{a: x, b: x}"))).toBe(applied);
  const version = await k("get ksvc sided -o jsonpath={.metadata.resourceVersion}");
  expect(await k("apply --server-side -f -", sided("hello:1", "{a: x, b: x}"))).toBe(applied);
  expect(await k("get ksvc sided -o jsonpath={.metadata.resourceVersion}")).toBe(version);
  expect(await k("apply --server-side -f -", sided("hello:2"))).toBe(applied);
  expect(await label("b")).toBe("");
  const refused = await run("apply --server-side --field-manager other -f -", sided("hello:2", "{a: z}"));
  expect(refused.stderr).toContain('Apply failed with 1 conflict: conflict with "kubectl": .metadata.labels.a');
  expect(refused.stderr).toContain("--force-conflicts");
  await k("apply --server-side --field-manager other --force-conflicts -f -", sided("hello:2", "{a: z}"));
  expect(await label("a")).toBe("z");
  await k("label ksvc sided c=1");
  const shown = await k("get ksvc sided -o yaml --show-managed-fields");
  expect(shown).toMatch(/manager: other\n +operation: Apply/);
  expect(shown).toMatch(/manager: kubectl-label\n +operation: Update/);
  expect((await run("diff --server-side --field-manager other -f -", sided("hello:2", "{a: z}"))).code).toBe(0);
});

test("apply --server-side takes over from client-side apply, and back", async () => {
  const both = (image: string): string => service(image).replace("name: hello", "name: both");
  await k("apply -f -", both("hello:1"));
  await k("apply --server-side -f -", both("hello:2"));
  expect(await k("apply -f -", both("hello:3"))).toContain("configured");
  await k("apply --server-side -f -", both("hello:4"));
  expect(await k("get ksvc both -o jsonpath={.spec.template.spec.containers[0].image}")).toBe("hello:4");
  await k("apply --server-side -f -", pod("podded"));
  await k("apply --server-side -f -", pod("podded", "img:2"));
  expect(await k("get pod podded -o jsonpath={.spec.containers[0].image}")).toBe("img:2");
});

test("a bad object is refused with a sentence for each field", async () => {
  const unknown = await run("apply -f -", service("hello:1", "templat: {}"));
  expect(unknown.stderr).toContain('strict decoding error: unknown field "spec.templat"');
  const bad = service("hello:1", "traffic: [{percent: 50}]").replace("name: hello", "name: Hello");
  const { stderr } = await run("create -f -", bad);
  expect(stderr).toContain('The Service "Hello" is invalid');
  expect(stderr).toContain("* metadata.name: Invalid value");
  expect(stderr).toContain("* spec.traffic: Invalid value: 50");
});

test("replace, label, annotate and every kind of patch", async () => {
  await k("create -f -", pod("changed"));
  await k("label pod changed a=1");
  await k("annotate pod changed b=2");
  await k(`patch pod changed -p '{"metadata":{"labels":{"c":"3"}}}'`);
  await k(`patch pod changed --type=merge -p '{"metadata":{"labels":{"d":"4"}}}'`);
  await k(`patch pod changed --type=json -p '[{"op":"add","path":"/metadata/labels/e","value":"5"}]'`);
  expect(JSON.parse(await k("get pod changed -o jsonpath={.metadata.labels}"))).toEqual({
    app: "changed",
    a: "1",
    c: "3",
    d: "4",
    e: "5",
  });
  expect((await run(`patch ksvc hello -p '{"metadata":{}}'`)).stderr).toContain(
    "is not supported by serving.knative.dev/v1",
  );
  const replaced = (await k("get pod changed -o yaml")).replace('a: "1"', 'a: "9"');
  await k("replace -f -", replaced);
  expect((await run("replace -f -", replaced.replace('a: "9"', 'a: "8"'))).stderr).toContain(
    "the object has been modified",
  );
});

test("namespaces come and go", async () => {
  // By a typed client: from kubectl 1.32 on the body is protobuf.
  expect(await k("create namespace team")).toBe("namespace/team created\n");
  await k("create -n team -f -", pod("inside"));
  expect(await k("get pods -n team -o name")).toBe("pod/inside\n");
  await k("delete ns team --wait=false");
  expect(await k("get ns team --no-headers")).toMatch(/^team +Terminating/);
  expect((await run("create -n team -f -", pod("late"))).stderr).toContain("because it is being terminated");
  expect((await run("create -n nope -f -", pod("lost"))).stderr).toContain('namespaces "nope" not found');
});

test("describe shows the object and its events; logs come from its node", async () => {
  const node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1", annotations: { "shallop.dev/agent-address": "127.0.0.1:1" } },
  };
  await k("create -f -", JSON.stringify(node));
  await k("create -f -", pod("told", "img:1", "n1"));
  const uid = await k("get pod told -o jsonpath={.metadata.uid}");
  const event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "told.1" },
    involvedObject: { apiVersion: "v1", kind: "Pod", name: "told", namespace: "default", uid },
    reason: "Scheduled",
    message: "placed on n1: most room",
    type: "Normal",
    source: { component: "scheduler" },
    firstTimestamp: new Date().toISOString(),
    lastTimestamp: new Date().toISOString(),
    count: 1,
  };
  await k("create -f -", JSON.stringify(event));
  expect(await k("describe pod told")).toMatch(/Normal +Scheduled +\S+ +scheduler +placed on n1: most room/);
  expect(await k("events --for pod/told")).toContain("placed on n1");
  expect(await k("get events")).toContain("pod/told");
  expect(await k("describe node n1")).toMatch(/default +told/);
  expect(await k("describe ksvc hello")).toContain("API Version:  serving.knative.dev/v1");
  expect(await k("logs told --tail=3")).toBe("told on n1 tailLines=3&format=text\n");
  expect((await run("logs forms")).stderr).toContain("does not have a host assigned");
  const deletion = await run("delete pod told --wait=false");
  expect(deletion.stdout).toContain("deleted");
  expect(await k("get pod told --no-headers")).toContain("Terminating");
  await k("delete pod told --grace-period=0 --force");
  expect((await run("get pod told")).code).toBe(1);
});

test("discovery and explain", async () => {
  expect(await k("api-resources --no-headers")).toMatch(
    /services +kservice,ksvc +serving.knative.dev\/v1 +true +Service/,
  );
  expect(await k("explain ksvc.spec.traffic")).toContain("<[]TrafficTarget>");
  expect(await k("explain trafficpolicy.spec.jwt")).toContain("Requests need a JSON Web Token");
  expect(await k("explain pod.spec.containers.image")).toContain("FIELD: image <string>");
  expect(await k("get all -o name")).toContain("service.serving.knative.dev/hello");
  expect(await k("version")).toMatch(/Server Version: .*v1\.33/);
});

test("who has no right token is told so", async () => {
  const { code, stderr } = await run("--token=wrong get pods");
  expect(code).toBe(1);
  expect(stderr).toMatch(/Unauthorized|must be logged in/);
  const gateway = running.material.tokens.gateway;
  expect((await run(`--token=${gateway} delete pod forms`)).stderr).toContain(
    'pods "forms" is forbidden: User "system:gateway" cannot delete resource "pods" in API group "" in the namespace "default"',
  );
});

test("delete by name, by file, by selector, all", async () => {
  await k("create -f -", pod("one"));
  await k("create -f -", pod("two"));
  expect(await k("delete pod one")).toMatch(/pod "one" deleted/);
  expect(await k("delete pods -l app=two")).toMatch(/pod "two" deleted/);
  expect(await k("delete -f -", service("hello:2"))).toMatch(/service.serving.knative.dev "hello" deleted/);
  await k("delete pods --all");
  expect(await k("get pods -o name")).toBe("");
});
