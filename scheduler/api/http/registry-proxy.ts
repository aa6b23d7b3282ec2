import { ApiFault } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { mastersGroup, nodeNameOf, type User } from "../user.ts";

/** Headers that belong to one connection (RFC 9110, section 7.6.1), and those that the registry must not get. */
const droppedHeaders = new Set([
  "authorization",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The built-in registry, as the control plane reaches it. */
export interface BuiltinRegistry {
  /** `http://127.0.0.1:5000`. */
  readonly url: string;
  /** The platform's own login, where it wants one. */
  readonly token?: string;
}

const mayUseRegistry = (user: User): boolean => user.groups.includes(mastersGroup) || nodeNameOf(user) !== undefined;

/**
 * `/v2/*`: the built-in registry, for nodes on other machines. Bodies stream both ways.
 * @throws ApiFault Forbidden, ServiceUnavailable
 */
export async function proxyRegistry(request: Request, user: User, registry: BuiltinRegistry): Promise<Response> {
  const { url: registryUrl, token } = registry;
  const { pathname, search } = new URL(request.url);
  if (!mayUseRegistry(user)) {
    throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot use path "${pathname}"`);
  }
  const headers = endToEnd(request.headers);
  // What is stored is what is passed on: a compressed answer would be unpacked on the way.
  headers.set("accept-encoding", "identity");
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  const length = request.headers.get("content-length");
  if (length !== null && request.body !== null) headers.set("content-length", length);
  const hasBody = request.method !== "GET" && request.method !== "HEAD" && request.body !== null;
  let response: Response;
  try {
    response = await fetch(new URL(pathname + search, registryUrl), {
      method: request.method,
      headers,
      redirect: "manual",
      signal: request.signal,
      ...(hasBody ? { body: request.body, duplex: "half" } : {}),
    });
  } catch (error) {
    throw new ApiFault(
      "ServiceUnavailable",
      `the built-in registry at ${registryUrl} does not answer: ${describeError(error)}`,
      { retryAfterSeconds: 1 },
      { cause: error },
    );
  }
  const answered = endToEnd(response.headers);
  const answeredLength = response.headers.get("content-length");
  if (answeredLength !== null) answered.set("content-length", answeredLength);
  answered.set("location", response.headers.get("location")?.replace(new URL(registryUrl).origin, "") ?? "");
  if (answered.get("location") === "") answered.delete("location");
  return new Response(response.body, { status: response.status, headers: answered });
}

function endToEnd(headers: Headers): Headers {
  const kept = new Headers();
  for (const [name, value] of headers) if (!droppedHeaders.has(name) && !name.startsWith(":")) kept.append(name, value);
  return kept;
}
