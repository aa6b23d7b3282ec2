import type { AgentAddress, AgentLink } from "./agent-link.ts";
import type { PodLogRequest, PodLogs, ServiceLogRequest } from "./pod-logs.ts";

/** Reads logs from the agents. */
export class AgentPodLogs implements PodLogs {
  readonly #link: AgentLink;

  constructor(link: AgentLink) {
    this.#link = link;
  }

  container(agent: AgentAddress, log: PodLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const path = ["containerLogs", log.namespace, log.pod, log.container].map(encodeURIComponent).join("/");
    return this.#link.get(agent, `/${path}?${log.query.toString()}`, signal);
  }

  service(agent: AgentAddress, log: ServiceLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { namespace, service, form } = log;
    const query = new URLSearchParams({ namespace, service, format: form, timestamps: "true" });
    if (log.follow) query.set("follow", "true");
    if (log.prefix) query.set("prefix", "true");
    if (log.tailLines !== undefined) query.set("tailLines", String(log.tailLines));
    return this.#link.get(agent, `/v1/logs?${query.toString()}`, signal);
  }
}
