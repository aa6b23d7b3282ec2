import type { IncomingMessage, ServerResponse } from "node:http";
import { ImageFault, type RepositoryName } from "@shallop/sdk/image";
import { errorCode, type Log } from "@shallop/sdk/internal";
import { anyone, type Principal } from "./access.ts";
import { bodyOf, sendJson } from "./answers.ts";
import { RegistryFault, type RegistryFaultCode } from "./fault.ts";
import { actionOf, type RegistryHandlers } from "./handlers.ts";
import { accessFault, type LoginPlace, type RegistryLogin, tokenPath } from "./login.ts";
import { parseRegistryPath, type RegistryRoute } from "./route.ts";

/** What is read of a body that was refused, so that its sender gets to the answer. */
const discardBytesMax = 16 * 1024 * 1024;
/** A form with name, password and a few scopes. */
const formBytesMax = 16 * 1024;

const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405,
  RANGE_INVALID: 416,
  TOO_LARGE: 413,
  STORAGE_FULL: 507,
  UPSTREAM_FAILED: 502,
  UNKNOWN: 500,
} satisfies Record<RegistryFaultCode, number>;

export interface Serving {
  readonly handlers: RegistryHandlers;
  readonly login: RegistryLogin;
  readonly log: Log;
}

/** Answers one request: who, what, whether it may, and faults as the specification's errors. */
export async function serveRequest(
  serving: Serving,
  place: LoginPlace,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Old clients look for it before they speak to us.
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  response.on("error", () => undefined);
  try {
    const url = URL.parse(`http://registry${request.url ?? "/"}`);
    if (url?.pathname === tokenPath && place.kind === "token") {
      return await sendToken(serving.login, { request, response, query: url.searchParams, principal: anyone });
    }
    const asked = url === null ? undefined : parseRegistryPath(url.pathname);
    if (url === null || asked === undefined) throw new RegistryFault("NAME_UNKNOWN", "there is nothing at this path");
    const route = serving.handlers.localRoute(asked, url.searchParams.get("ns"));
    const principal = await permitted(serving.login, place, request, route);
    await serving.handlers.handle(route, { request, response, query: url.searchParams, principal });
  } catch (error) {
    refuse(request, response, error, serving.log);
  }
}

/** Who calls, if it may do this. @throws RegistryFault UNAUTHORIZED | DENIED | TOOMANYREQUESTS */
async function permitted(
  login: RegistryLogin,
  place: LoginPlace,
  request: IncomingMessage,
  route: RegistryRoute,
): Promise<Principal> {
  const found = await login.principal(request, place);
  const action = actionOf(route, request.method ?? "GET");
  const name: RepositoryName | undefined = "name" in route ? route.name : undefined;
  const isCatalog = route.kind === "catalog";
  if (action === undefined || name === undefined) {
    // Clients ask here first, to be told how to log in: also where something is public.
    if (found === undefined) throw accessFault(request, place, { principal: undefined, action, name, isCatalog });
    return found;
  }
  const principal = found ?? (await login.public());
  if (principal.may(action, name)) return principal;
  throw accessFault(request, place, { principal: found, action, name });
}

/**
 * Gives a token. Distribution, "Token Authentication" (GET with Basic) and "OAuth2 Token Authentication" (POST of a
 * form): both are in use.
 */
async function sendToken(login: RegistryLogin, call: Parameters<typeof sendJson>[0]): Promise<void> {
  const { request, query } = call;
  const method = request.method ?? "GET";
  if (method !== "GET" && method !== "POST") {
    throw new RegistryFault("UNSUPPORTED", `${method} means nothing here`, { headers: { Allow: "GET, POST" } });
  }
  const form = method === "POST" ? await readForm(request) : query;
  const header = /^basic +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const grant = form.get("grant_type");
  if (method === "POST" && grant !== "password") {
    // RFC 6749, 5.2. Refresh tokens are given by registries whose logins are elsewhere.
    throw new RegistryFault("UNSUPPORTED", "unsupported_grant_type: log in with name and password", {
      headers: { Allow: "GET, POST" },
    });
  }
  const basic =
    method === "POST"
      ? Buffer.from(`${form.get("username") ?? ""}:${form.get("password") ?? ""}`).toString("base64")
      : header;
  const { token, lifetimeS, issuedMs } = await login.token(request, { scopes: form.getAll("scope"), basic });
  call.response.setHeader("Cache-Control", "no-store");
  sendJson(call, {
    token,
    access_token: token,
    expires_in: lifetimeS,
    issued_at: new Date(issuedMs).toISOString(),
    ...(method === "POST" ? { scope: form.getAll("scope").join(" ") } : {}),
  });
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of bodyOf(request)) {
    text += chunk.toString("latin1");
    if (text.length > formBytesMax) throw new RegistryFault("TOO_LARGE", `a form has at most ${formBytesMax} bytes`);
  }
  return new URLSearchParams(text);
}

/** Closing at once would take the answer with it, while the client still sends. */
function discard(request: IncomingMessage): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardBytesMax) request.destroy();
  });
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  const isGone = request.destroyed && !request.complete;
  if (!(error instanceof RegistryFault) && !isGone && !isBroken(error)) {
    log.error("a request failed", error, { method: request.method, url: request.url?.slice(0, 200) });
  }
  if (response.headersSent || isGone) {
    response.destroy();
    return;
  }
  const fault =
    error instanceof RegistryFault ? error : new RegistryFault("UNKNOWN", "the registry failed; its log says why");
  if (!request.complete) discard(request);
  const body = JSON.stringify({ errors: [{ code: fault.code, message: fault.message, detail: {} }] });
  response.removeHeader("Content-Range");
  response.writeHead(statusOf[fault.code], {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    ...fault.headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** The client went away in the middle of its answer. */
const isBroken = (error: unknown): boolean => {
  const code = errorCode(error instanceof ImageFault ? error.cause : error);
  return ["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "EPIPE"].includes(code ?? "");
};
