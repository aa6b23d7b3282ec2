import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { behavioursScript, whoScript } from "../support/behaviours.ts";
import { needKubectl, type Kubectl, type KubectlResult } from "../support/kubectl.ts";
import { eventually, Platform } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";

// Stock kubectl against a whole platform: what it applies runs, what it shows is true, what it deletes is gone.

let platform: Platform;
let workshop: Workshop;
let kubectl: Kubectl;

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start({ autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"] });
  kubectl = await needKubectl(platform.kubeconfig);
  await workshop.publish(platform, "who", { script: whoScript });
  await workshop.publish(platform, "talker", { script: behavioursScript });
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const run = (command: string, input?: string): Promise<KubectlResult> =>
  kubectl(
    [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? ""),
    input,
  );

/** Standard output of a command that must succeed. */
async function k(command: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, input);
  if (code !== 0) throw new Error(`kubectl ${command}: ${stderr}`);
  return stdout;
}

interface Manifest {
  readonly name: string;
  readonly who?: string;
  readonly image?: string;
  /** Further lines of the template's annotations. */
  readonly annotations?: readonly string[];
}

const manifest = ({ name, who = "kubectl", image = "who:1", annotations = [] }: Manifest): string => `
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: ${name}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/max-scale: "3"
${annotations.map((line) => `        ${line}`).join("\n")}
    spec:
      containers:
        - image: ${image}
          env:
            - name: WHO
              value: ${who}
`;

const body = async (host: string, path = "/"): Promise<string> => (await platform.ask(host, path)).body;

test("apply of a Knative Service does what shallop deploy does", async () => {
  expect(await k("apply -f -", manifest({ name: "applied" }))).toBe("service.serving.knative.dev/applied created\n");
  expect(await k("wait --for=condition=Ready ksvc/applied --timeout=30s")).toContain("condition met");
  expect(await body("applied.default")).toBe("kubectl\n");
  await platform.run("deploy", "deployed", "--image", "who:1", "--env", "WHO=kubectl", "--max-scale", "3");
  const [applied, deployed] = await Promise.all(["applied", "deployed"].map(specOf));
  expect(applied).toEqual(deployed);
});

/** The spec of a service and of its revision, without what differs between any two. */
async function specOf(name: string): Promise<unknown> {
  const service = JSON.parse(await k(`get ksvc ${name} -o json`)) as { spec: unknown };
  const revision = JSON.parse(await k(`get revision ${name}-00001 -o json`)) as { spec: unknown };
  return { service: service.spec, revision: revision.spec };
}

test("get shows every kind in columns", async () => {
  const url = `http://applied.default.localhost:${platform.ports.gateway}`;
  expect(await k("get ksvc applied")).toMatch(
    new RegExp(
      `NAME +URL +LATESTCREATED +LATESTREADY +READY +REASON\\s+applied +${url} +applied-00001 +applied-00001 +True`,
    ),
  );
  expect(await k("get revisions,configurations,routes -l serving.knative.dev/service=applied")).toMatch(
    /revision\.serving\.knative\.dev\/applied-00001[^]*configuration[^]*applied[^]*route[^]*applied/,
  );
  expect(await k("get nodes")).toMatch(/node-a +Ready/);
  expect(await k("get ns")).toContain("default");
  expect(await k("get events")).toMatch(/LAST SEEN +TYPE +REASON +OBJECT +MESSAGE/);
  await platform.ask("applied.default");
  expect(await k("get pods -l serving.knative.dev/service=applied -o wide")).toMatch(
    /applied-00001-\w{5} +\d\/1 +Running[^]*node-a/,
  );
  expect(await k("get ksvc applied -o yaml")).toMatch(/kind: Service\nmetadata:[^]*status:/);
  expect(await k("get ksvc applied -o jsonpath={.status.url}")).toBe(url);
});

test("describe shows conditions and events with reasons", async () => {
  expect(await k("describe ksvc applied")).toMatch(/Conditions:[^]*Type: +Ready/);
  const described = await k("describe revision applied-00001");
  expect(described).toMatch(/Home Nodes:\s+node-a/);
  expect(described).toMatch(/Reason: +Wasm variant/);
  await platform.ask("applied.default");
  const pod = await k("get pods -l serving.knative.dev/service=applied -o name");
  expect(await k(`describe ${pod.trim().split("\n")[0]}`)).toMatch(/Node: +node-a[^]*Events:/);
  expect(await k("describe node node-a")).toMatch(/Conditions:[^]*Ready +True/);
});

test("get -w shows a service become ready, and go", async () => {
  await using watching = kubectl.start(["get", "ksvc", "-w"]);
  await k("apply -f -", manifest({ name: "watched" }));
  await watching.waitFor(/watched .* watched-00001 +watched-00001 +True/);
  await k("delete ksvc watched --wait=true");
  expect((await run("get ksvc watched")).stderr).toContain("NotFound");
});

test("logs of a pod, as they come", async () => {
  await k("apply -f -", manifest({ name: "talker", image: "talker:1" }));
  await k("wait --for=condition=Ready ksvc/talker --timeout=30s");
  await platform.ask("talker.default", "/log");
  const pod = (await k("get pods -l serving.knative.dev/service=talker -o name")).trim().split("\n")[0] ?? "";
  await eventually("the line is in the log", async () =>
    (await k(`logs ${pod}`)).includes("said on stdout\n") ? true : undefined,
  );
  expect(await k(`logs ${pod} -c user-container --timestamps --tail=1`)).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z said on std(out|err)\n$/,
  );
  await using following = kubectl.start(["logs", "-f", pod, "--tail=0"]);
  // It follows from when it is connected: what was said before is not for it.
  await eventually("a line is followed", async () => {
    await platform.ask("talker.default", "/log");
    return following.stdout().includes("said on stderr") ? true : undefined;
  });
});

test("wait and rollout of a change: a new revision, the old one stays", async () => {
  await k("apply -f -", manifest({ name: "applied", who: "changed" }));
  await k("wait --for=jsonpath={.status.latestReadyRevisionName}=applied-00002 ksvc/applied --timeout=30s");
  await eventually("the new revision answers", async () =>
    (await body("applied.default")) === "changed\n" ? true : undefined,
  );
  expect(await k("get revisions -l serving.knative.dev/service=applied -o name")).toBe(
    "revision.serving.knative.dev/applied-00001\nrevision.serving.knative.dev/applied-00002\n",
  );
  // The same again changes nothing.
  const before = await k("get ksvc applied -o jsonpath={.metadata.generation}");
  await k("apply -f -", manifest({ name: "applied", who: "changed" }));
  expect(await k("get ksvc applied -o jsonpath={.metadata.generation}")).toBe(before);
});

test("a pod of a service that is deleted by hand comes again when it is needed", async () => {
  await platform.ask("applied.default");
  await k("delete pods -l serving.knative.dev/service=applied --wait=true --timeout=40s");
  const answer = await platform.ask("applied.default");
  expect(answer).toMatchObject({ status: 200, body: "changed\n" });
});

test("bad objects are refused with every wrong field, and nothing of them is stored", async () => {
  const unknown = await run("apply -f -", manifest({ name: "bad" }).replace("template:", "templat:"));
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/unknown field "spec.templat"/);
  const wrongType = await run(
    "create -f -",
    manifest({ name: "bad" }).replace("containers:", "containerConcurrency: many\n      containers:"),
  );
  expect(wrongType.code).toBe(1);
  expect(wrongType.stderr).toMatch(/containerConcurrency/);
  const badName = await run("create -f -", manifest({ name: "Not_A_Label" }));
  expect(badName.code).toBe(1);
  expect(badName.stderr).toMatch(/metadata\.name: Invalid value: "Not_A_Label": .*must consist of lower case/s);
  const badScale = await run(
    "create -f -",
    manifest({ name: "bad", annotations: ['autoscaling.knative.dev/min-scale: "9"'] }),
  );
  expect(badScale.code).toBe(1);
  expect(badScale.stderr).toMatch(/m(in|ax)-scale/);
  const noYaml = await run("create -f -", "{{{");
  expect(noYaml.code).toBe(1);
  expect((await run("get ksvc bad")).stderr).toContain("NotFound");
});

test("names that are no DNS labels are refused by shallop deploy too", async () => {
  for (const name of ["Upper", "under_score", "dot.ted", "9to5", "a".repeat(64)]) {
    const { code, stderr } = await platform.shallop("deploy", name, "--image", "who:1", "--no-wait");
    expect(stderr, name).toMatch(/metadata\.name|must/);
    expect(code).toBe(1);
  }
});

test("a stale version is a conflict", async () => {
  const stale = await k("get ksvc applied -o json");
  await k("annotate ksvc applied example.com/changed=yes --overwrite");
  const { code, stderr } = await run("replace -f -", stale);
  expect(code).toBe(1);
  expect(stderr).toMatch(/Conflict.*the object has been modified; please apply your changes to the latest version/s);
});

test("a second create is refused", async () => {
  expect((await run("create -f -", manifest({ name: "applied" }))).stderr).toContain("AlreadyExists");
});

test("delete of a service takes all that belongs to it", async () => {
  for (const name of ["applied", "deployed", "talker"]) await k(`delete ksvc ${name}`);
  expect((await platform.ask("applied.default")).status).toBe(404);
  await eventually("nothing is left of them", async () => {
    const left = await k("get ksvc,configurations,routes,revisions,pods -o name");
    return left === "" ? true : undefined;
  });
});

test("a namespace goes with all that is in it", async () => {
  await k("create namespace passing");
  await k("apply -n passing -f -", manifest({ name: "guest" }));
  await k("wait -n passing --for=condition=Ready ksvc/guest --timeout=30s");
  expect(await body("guest.passing")).toBe("kubectl\n");
  await k("delete namespace passing --wait=true --timeout=40s");
  expect((await run("get ksvc -n passing -o name")).stdout).toBe("");
  expect((await platform.ask("guest.passing")).status).toBe(404);
});
