import { expect, test } from "vitest";
import { plainSecurity, podSecurity } from "./pod-security.ts";

test("the container's word comes before the pod's", () => {
  const spec = {
    containers: [],
    hostNetwork: true,
    securityContext: {
      runAsUser: 1000,
      runAsGroup: 1001,
      runAsNonRoot: true,
      fsGroup: 3000,
      supplementalGroups: [2000],
      sysctls: [{ name: "net.core.somaxconn", value: "512" }],
      seccompProfile: { type: "Unconfined" },
    },
  };
  const container = {
    image: "app",
    securityContext: {
      runAsUser: 5,
      runAsNonRoot: false,
      seccompProfile: { type: "RuntimeDefault" },
      capabilities: { add: ["CAP_NET_RAW"], drop: ["all"] },
    },
  };
  expect(podSecurity(spec, container)).toMatchObject({
    runAsUser: 5,
    runAsGroup: 1001,
    runAsNonRoot: false,
    supplementalGroups: [2000, 3000],
    seccomp: "RuntimeDefault",
    capabilitiesAdded: ["NET_RAW"],
    capabilitiesDropped: ["ALL"],
    sysctls: { "net.core.somaxconn": "512" },
    hostNamespaces: ["hostNetwork"],
  });
});

test("who says nothing gets less than Kubernetes gives: a read-only root and no way to more rights", () => {
  expect(plainSecurity).toMatchObject({ readOnlyRoot: true, allowPrivilegeEscalation: false, privileged: false });
});
