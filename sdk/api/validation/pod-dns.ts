import { isIP } from "node:net";
import type { StatusCause } from "../fault.ts";
import { dig, type JsonObject, listAt, textAt } from "../json.ts";
import { invalid, notSupported, required } from "./cause.ts";
import { checkName } from "./name-rules.ts";

// kubernetes/pkg/apis/core/validation/validation.go, validatePodDNSConfig: what resolvers of glibc and musl take.
const policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const nameserversMax = 3;
const searchesMax = 32;
const searchCharsMax = 2048;

export function validatePodDns(pod: JsonObject): StatusCause[] {
  const policy = textAt(pod, "spec", "dnsPolicy") ?? "ClusterFirst";
  const causes: StatusCause[] = policies.includes(policy) ? [] : [notSupported("spec.dnsPolicy", policy, policies)];
  const path = "spec.dnsConfig";
  const nameservers = listAt(pod, "spec", "dnsConfig", "nameservers");
  if (policy === "None" && nameservers.length === 0) {
    const detail = dig(pod, "spec", "dnsConfig") === undefined ? "" : ".nameservers";
    causes.push(required(path + detail, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  if (nameservers.length > nameserversMax)
    causes.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${nameserversMax} nameservers`));
  for (const [index, server] of nameservers.entries()) {
    if (typeof server === "string" && isIP(server) !== 0) continue;
    causes.push(invalid(`${path}.nameservers[${index}]`, server, "must be a valid IP address"));
  }
  return [
    ...causes,
    ...validateSearches(listAt(pod, "spec", "dnsConfig", "searches"), `${path}.searches`),
    ...optionsOf(pod),
  ];
}

function validateSearches(searches: ReturnType<typeof listAt>, path: string): StatusCause[] {
  const texts = searches.map(String);
  return [
    ...(texts.length > searchesMax ? [invalid(path, null, `must not have more than ${searchesMax} search paths`)] : []),
    ...(texts.join(" ").length > searchCharsMax
      ? [
          invalid(
            path,
            null,
            `must not have more than ${searchCharsMax} characters (including spaces) in the search list`,
          ),
        ]
      : []),
    ...texts.flatMap((search, index) =>
      search === "." ? [] : checkName("subdomain-1123", search.replace(/\.$/, ""), `${path}[${index}]`),
    ),
  ];
}

/** Each is a word of resolv.conf(5): a line of its own is not to be had. */
const optionsOf = (pod: JsonObject): StatusCause[] =>
  listAt(pod, "spec", "dnsConfig", "options").flatMap((option, index) => {
    const path = `spec.dnsConfig.options[${index}]`;
    const [name, value] = [textAt(option, "name") ?? "", textAt(option, "value") ?? ""];
    if (name === "") return [required(`${path}.name`, "must not be empty")];
    return /^\S+$/.test(name) && /^\S*$/.test(value) ? [] : [invalid(path, option, "must be words without spaces")];
  });
