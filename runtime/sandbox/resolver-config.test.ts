import { expect, test } from "vitest";
import type { PodDns } from "../pod/pod-runtime.ts";
import { resolverConfig } from "./resolver-config.ts";

const place = { namespace: "team", nameServer: "10.88.0.1", searches: ["example.com"] };
const dns = (policy: PodDns["policy"], more: Partial<PodDns> = {}): PodDns => ({
  ...{ policy, nameservers: [], searches: [], options: [] },
  ...more,
});
const cluster = "search team.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.88.0.1\n";

test.each([
  ["nothing is asked", undefined, `${cluster}options ndots:5 timeout:2 attempts:2\n`],
  ["ClusterFirst", dns("ClusterFirst"), `${cluster}options ndots:5 timeout:2 attempts:2\n`],
  [
    "Default is the machine's",
    dns("Default"),
    "search example.com\nnameserver 10.88.0.1\noptions timeout:2 attempts:2\n",
  ],
  [
    "None is what is given and nothing else",
    dns("None", { nameservers: ["1.1.1.1"], searches: ["my.dns"], options: ["ndots:2", "edns0"] }),
    "search my.dns\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
  ],
  [
    "more than the policy's, once each, and options of the same name",
    dns("ClusterFirst", {
      nameservers: ["10.88.0.1", "1.1.1.1"],
      searches: ["example.com", "b.c"],
      options: ["ndots:1"],
    }),
    `${cluster.replace("example.com", "example.com b.c")}nameserver 1.1.1.1\noptions ndots:1 timeout:2 attempts:2\n`,
  ],
])("%s", (_, asked, text) => {
  expect(resolverConfig(place, asked)).toBe(text);
});

test("where nobody would answer, names fail at once", () => {
  expect(resolverConfig({ ...place, nameServer: undefined })).not.toContain("nameserver");
});
