import type { RepositoryName } from "@shallop/sdk/image";
import { unreachable } from "@shallop/sdk/internal";
import type { RegistryAction } from "./access.ts";
import { type Call, digestIn, linkNext, pageOf, sendJson } from "./answers.ts";
import type { BlobHandlers } from "./blobs.ts";
import { RegistryFault } from "./fault.ts";
import type { ManifestHandlers } from "./manifests.ts";
import type { RegistryParts } from "./parts.ts";
import type { RegistryRoute } from "./route.ts";

type Parts = Pick<RegistryParts, "repositories" | "upstream"> & {
  readonly blobs: BlobHandlers;
  readonly manifests: ManifestHandlers;
};

/** Finds what answers a request. Refusals are thrown; the server turns them into answers. */
export class RegistryHandlers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is asked for in the names of this registry, when it is asked as the mirror of another one. */
  localRoute(route: RegistryRoute, namespace: string | null): RegistryRoute {
    return "name" in route ? { ...route, name: this.#parts.upstream.localName(route.name, namespace) } : route;
  }

  /** Who may do this is known by now. @throws RegistryFault, and errors of the file system */
  async handle(route: RegistryRoute, call: Call): Promise<void> {
    const { blobs, manifests, upstream } = this.#parts;
    const method = call.request.method ?? "GET";
    const isRead = method === "GET" || method === "HEAD";
    if ("name" in route && actionOf(route, method) === "push" && upstream.isCopy(route.name)) {
      throw new RegistryFault("UNSUPPORTED", `${route.name} is a copy of another registry's; push it there`);
    }
    switch (route.kind) {
      case "ping":
        if (isRead) return sendJson(call, {});
        break;
      case "catalog":
        if (isRead) return this.#catalog(call);
        break;
      case "tags":
        if (isRead) return this.#tags(call, route.name);
        break;
      case "referrers":
        if (isRead) return manifests.referrers(call, route.name, digestIn(route.digest));
        break;
      case "blob":
        if (isRead) return blobs.get(call, route.name, digestIn(route.digest));
        if (method === "DELETE") return blobs.delete(call, route.name, digestIn(route.digest));
        break;
      case "manifest":
        if (isRead) return manifests.get(call, route.name, route.reference);
        if (method === "PUT") return manifests.put(call, route.name, route.reference);
        if (method === "DELETE") return manifests.delete(call, route.name, route.reference);
        break;
      case "uploads":
        if (method === "POST") return blobs.startUpload(call, route.name);
        break;
      case "upload":
        return blobs.upload(call, { name: route.name, id: route.id });
      default:
        return unreachable(route);
    }
    throw new RegistryFault("UNSUPPORTED", `${method} means nothing here`, { headers: { Allow: allowed[route.kind] } });
  }

  async #catalog(call: Call): Promise<void> {
    const all = await this.#parts.repositories.list();
    const page = pageOf(
      all.filter((name) => call.principal.sees(name)),
      call.query,
    );
    if (page.last !== undefined) linkNext(call, "/v2/_catalog", page.last);
    sendJson(call, { repositories: page.items });
  }

  async #tags(call: Call, name: RepositoryName): Promise<void> {
    const { repositories, upstream } = this.#parts;
    const copied = await upstream.tags(name);
    if (copied === undefined && !(await repositories.exists(name))) {
      throw new RegistryFault("NAME_UNKNOWN", `there is no repository ${name}`);
    }
    const page = pageOf(copied ?? (await repositories.tags(name)), call.query);
    if (page.last !== undefined) linkNext(call, `/v2/${name}/tags/list`, page.last);
    sendJson(call, { name, tags: page.items });
  }
}

/** What somebody needs to be allowed for this; undefined where being somebody is enough. */
export function actionOf(route: RegistryRoute, method: string): RegistryAction | undefined {
  switch (route.kind) {
    case "ping":
    case "catalog":
      return undefined;
    case "uploads":
    case "upload":
      return "push";
    case "tags":
    case "referrers":
    case "blob":
    case "manifest":
      if (method === "GET" || method === "HEAD") return "pull";
      return method === "DELETE" ? "delete" : "push";
    default:
      return unreachable(route);
  }
}

const allowed = {
  ping: "GET, HEAD",
  catalog: "GET, HEAD",
  tags: "GET, HEAD",
  referrers: "GET, HEAD",
  blob: "GET, HEAD, DELETE",
  manifest: "GET, HEAD, PUT, DELETE",
  uploads: "POST",
  upload: "GET, PATCH, PUT, DELETE",
} satisfies Record<RegistryRoute["kind"], string>;
