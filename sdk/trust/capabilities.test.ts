import { type Container, type RevisionSpec } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { capabilitiesOf, newCapabilities } from "./capabilities.ts";
import type { ImageDemands } from "./image-demands.ts";

const nothing: ImageDemands = { kinds: ["wasm"], imports: [], unlisted: [], users: [] };
const specOf = (container: Partial<Container> = {}): RevisionSpec => ({ containers: [{ image: "a:1", ...container }] });
const asking = (image: Partial<ImageDemands>, container: Partial<Container> = {}) => ({
  image: { ...nothing, ...image },
  spec: specOf(container),
});
const native = (container: Partial<Container> = {}, users = ["65532:65532"]) =>
  asking({ kinds: ["native"], users }, container);
const network = "network: any host that its node allows";
const plainNative = ["native variant", network];

describe("what a revision asks for", () => {
  const rows: readonly (readonly [string, ReturnType<typeof asking>, readonly string[]])[] = [
    ["nothing", asking({}), []],
    ["interfaces", asking({ imports: ["wasi:cli/environment@0.2.0", "a:b/c"] }), ["a:b/c", "wasi:cli/environment"]],
    ["directories", asking({ imports: ["wasi:filesystem/preopens@0.2.0"] }), ["wasi:filesystem/preopens"]],
    ["hosts, by HTTP", asking({ imports: ["wasi:http/client@0.3.0"] }), [network, "wasi:http/client"]],
    ["hosts, by sockets", asking({ imports: ["wasi:sockets/udp@0.2.6"] }), [network, "wasi:sockets/udp"]],
    ["to be asked is no way out", asking({ imports: ["wasi:http/types@0.2.0"] }), ["wasi:http/types"]],
    ["what nobody lists", asking({ unlisted: ["sha256:1"] }), ["imports that its image does not list (sha256:1)"]],
    [
      "variables, not their values",
      asking({}, { env: [{ name: "TOKEN", value: "x" }, { name: "A" }] }),
      ["variable A", "variable TOKEN"],
    ],
    [
      "a component has no user",
      asking({}, { securityContext: { privileged: true }, ports: [{ containerPort: 80 }] }),
      [],
    ],
    ["a container", native(), plainNative],
    ["root", native({}, [""]), ["native variant", "native: root's usual capabilities", "native: user root", network]],
    [
      "root by name, with nothing",
      native({ securityContext: { capabilities: { drop: ["ALL"] } } }, ["root:wheel"]),
      ["native variant", "native: user root", network],
    ],
    ["somebody else than the image's root", native({ securityContext: { runAsUser: 7 } }, ["0:0"]), plainNative],
    [
      "root though the image has none",
      native({ securityContext: { runAsUser: 0 } }),
      ["native variant", "native: root's usual capabilities", "native: user root", network],
    ],
    [
      "privileges",
      native({
        ports: [{ containerPort: 443 }],
        securityContext: {
          ...{ privileged: true, allowPrivilegeEscalation: true, readOnlyRootFilesystem: false, procMount: "Unmasked" },
          ...{ capabilities: { add: ["cap_net_admin", "SYS_TIME"] }, seccompProfile: { type: "Unconfined" } },
        },
      }),
      [
        "native variant",
        "native: allowPrivilegeEscalation",
        "native: capability NET_ADMIN",
        "native: capability SYS_TIME",
        "native: directory / to write",
        "native: port 443",
        "native: privileged",
        "native: procMount Unmasked",
        "native: seccompProfile Unconfined",
        network,
      ],
    ],
    ["a port that anybody has", native({ ports: [{ containerPort: 8080 }] }), plainNative],
  ];
  test.each(rows)("%s", (_name, revision, expected) => {
    expect(capabilitiesOf(revision)).toEqual(expected);
  });
});

test("what is new: a newer version of an interface is not, another image that lists nothing is", () => {
  const running = asking({ imports: ["wasi:cli/environment@0.2.0", "wasi:http/types@0.2.0"], unlisted: ["sha256:1"] });
  expect(newCapabilities(running, running)).toEqual([]);
  const wanted = asking(
    { imports: ["wasi:http/types@0.2.6", "wasi:sockets/tcp@0.2.6"], unlisted: ["sha256:2"] },
    { env: [{ name: "TOKEN", value: "x" }] },
  );
  expect(newCapabilities(running, wanted)).toEqual([
    "imports that its image does not list (sha256:2)",
    network,
    "variable TOKEN",
    "wasi:sockets/tcp",
  ]);
});
