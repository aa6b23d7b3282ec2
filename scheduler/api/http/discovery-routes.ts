import { createHash } from "node:crypto";
import type { JsonObject } from "@shallop/sdk/api";
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiVersions,
  groupVersionAt,
  groupVersions,
  resourceList,
} from "../discovery.ts";
import { documentPath, openApiDocument } from "../openapi.ts";
import { discoveryVersion } from "./negotiate.ts";

/** Documents that never change while the process lives: made when first asked for, kept with their hash. */
interface Document {
  readonly body: string;
  readonly hash: string;
  readonly contentType: string;
}

const documents = new Map<string, Document>();

function kept(key: string, contentType: string, make: () => JsonObject): Document {
  const known = documents.get(key);
  if (known !== undefined) return known;
  const body = JSON.stringify(make());
  const hash = createHash("sha512").update(body).digest("hex").toUpperCase();
  const document = { body, hash, contentType };
  documents.set(key, document);
  return document;
}

function answer(request: Request, document: Document): Response {
  const headers = { etag: `"${document.hash}"`, vary: "Accept", "content-type": document.contentType };
  if (request.headers.get("if-none-match") === headers.etag) return new Response(null, { status: 304, headers });
  return new Response(document.body, { headers });
}

/** Answers discovery and OpenAPI; undefined when the path is neither. */
export function discoveryResponse(request: Request, path: string): Response | undefined {
  const segments = path.replace(/\/$/, "").slice(1).split("/");
  const [root, ...rest] = segments;
  if (root === "openapi") return openApiResponse(request, rest.join("/"));
  if (root !== "api" && root !== "apis") return undefined;
  if (rest.length === 0) return rootResponse(request, root);
  const [first = "", second] = rest;
  if (root === "apis" && second === undefined) {
    const group = apiGroup(first);
    return group === undefined
      ? undefined
      : answer(
          request,
          kept(path, "application/json", () => group),
        );
  }
  const isList = root === "api" ? rest.length === 1 : rest.length === 2;
  const found = isList
    ? groupVersionAt(root === "api" ? "" : first, root === "api" ? first : (second ?? ""))
    : undefined;
  return found === undefined
    ? undefined
    : answer(
        request,
        kept(`${root}/${rest.join("/")}`, "application/json", () => resourceList(found)),
      );
}

function rootResponse(request: Request, root: "api" | "apis"): Response {
  const version = discoveryVersion(request.headers.get("accept") ?? undefined);
  if (version === undefined) {
    return answer(
      request,
      kept(root, "application/json", () => (root === "api" ? apiVersions : apiGroupList())),
    );
  }
  const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
  const document = kept(`${root} ${version}`, contentType, () =>
    aggregatedDiscovery(root, `apidiscovery.k8s.io/${version}`),
  );
  return answer(request, document);
}

function openApiResponse(request: Request, path: string): Response | undefined {
  if (path === "v2") {
    // Clients that insist on v2 are content with an empty document; no current client reads it.
    const contentType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    return new Response(new Uint8Array(), { headers: { "content-type": contentType } });
  }
  if (path === "v3") return answer(request, kept("openapi/v3", "application/json", openApiIndex));
  if (!path.startsWith("v3/")) return undefined;
  const document = openApiOf(path.slice("v3/".length));
  return document === undefined ? undefined : answer(request, document);
}

const openApiOf = (path: string): Document | undefined =>
  groupVersions.some(({ group, version }) => documentPath(group, version) === path)
    ? kept(`openapi/v3/${path}`, "application/json", () => openApiDocument(path) ?? {})
    : undefined;

/** `GET /openapi/v3`: where the documents are; the hash in the URL lets clients keep them. */
const openApiIndex = (): JsonObject => ({
  paths: Object.fromEntries(
    groupVersions.map(({ group, version }) => {
      const path = documentPath(group, version);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${openApiOf(path)?.hash ?? ""}` }];
    }),
  ),
});
