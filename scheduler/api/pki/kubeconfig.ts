import { stringify } from "yaml";

/** A kubeconfig with everything in it: context, cluster and user are called `shallop`. */
export function kubeconfig(facts: {
  readonly server: string;
  readonly authority: string;
  readonly token: string;
}): string {
  const name = "shallop";
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [
      {
        name,
        cluster: {
          server: facts.server,
          "certificate-authority-data": Buffer.from(facts.authority).toString("base64"),
        },
      },
    ],
    users: [{ name, user: { token: facts.token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
    preferences: {},
  });
}
