import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorCode, type Log } from "@shallop/sdk/internal";
import { Call, type RawConnection, type Reply } from "./call.ts";
import { faultBody, faultStatus } from "./fault-status.ts";
import type { Match, Router } from "./router.ts";

/** What this API is: the newest that is spoken, and what of Docker's first word to a client matters. */
export const apiVersion = "1.51";
export const apiVersionMin = "1.24";

const pingHeaders = {
  "Api-Version": apiVersion,
  "Docker-Experimental": "false",
  Ostype: "linux",
  Server: "Shallop/0.1.0 (linux)",
  // 1: builds by POST /build. Clients with BuildKit's plugin then use that, too.
  "Builder-Version": "1",
  Swarm: "inactive",
} as const;

/** A compose file of some hundred services asks for each at once. */
const connectionsMax = 1024;
/** Clients keep a connection for their next command; there is none most of the time. */
const keepAliveMs = 5000;

interface ServerSettings {
  readonly router: Router;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Serves the API on a unix socket that root and its group may open, and nobody else: who may speak to it may have any
 * file of the machine mounted.
 */
export async function serveDocker(path: string, settings: ServerSettings): Promise<AsyncDisposable> {
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0, shouldUpgradeCallback: isStream });
  server.maxConnections = connectionsMax;
  server.on("request", (request, response) => void answer(request, response, settings));
  server.on("upgrade", (request, socket, first) => void answerRaw(request, { socket, first }, settings));
  server.on("clientError", (_, socket) => socket.destroy());
  await rm(path, { force: true });
  await listen(server, path);
  // Until then it is the owner's alone: the process's umask lets nobody else write.
  await chmod(path, 0o660);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await rm(path, { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}

/** Everything else that asks for an upgrade (BuildKit's sessions) is an ordinary request to a path that is not here. */
const isStream = (request: IncomingMessage): boolean => /\/(attach|exec\/[^/]+\/start)(\?|$)/.test(request.url ?? "");

const pathOf = (request: IncomingMessage): URL => new URL(request.url ?? "/", "http://docker");

async function answer(request: IncomingMessage, response: ServerResponse, settings: ServerSettings): Promise<void> {
  const { pathname, searchParams: query } = pathOf(request);
  for (const [name, value] of Object.entries(pingHeaders)) response.setHeader(name, value);
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client has gone")));
  const signal = AbortSignal.any([gone.signal, settings.signal]);
  try {
    const match = settings.router.match(request.method === "HEAD" ? "HEAD" : (request.method ?? ""), pathname);
    if (match === undefined || match === "method") return send(response, noSuch(match, request));
    const reply = await match.handler(new Call({ request, response, query, params: match.params, signal }));
    if (reply !== undefined) send(response, reply);
  } catch (error) {
    tell(error, request, { log: settings.log, signal });
    if (response.headersSent) response.destroy();
    else send(response, { status: faultStatus(error), json: faultBody(error) });
  }
}

async function answerRaw(request: IncomingMessage, raw: RawConnection, settings: ServerSettings): Promise<void> {
  const { socket } = raw;
  const gone = new AbortController();
  socket.on("error", () => socket.destroy());
  socket.once("close", () => gone.abort(new Error("the client has gone")));
  const { pathname, searchParams: query } = pathOf(request);
  const signal = AbortSignal.any([gone.signal, settings.signal]);
  const match = settings.router.match(request.method ?? "", pathname);
  if (match === undefined || match === "method" || !match.hijacks) return refuse(socket, noSuch(undefined, request));
  const call = new Call({ request, raw, query, params: match.params, signal });
  try {
    const reply = await match.handler(call);
    if (reply !== undefined) refuse(socket, reply);
    else socket.end();
  } catch (error) {
    tell(error, request, { log: settings.log, signal });
    // Of a stream that has begun a client takes nothing but its frames.
    if (call.isHijacked) socket.end();
    else if (socket.writable) refuse(socket, { status: faultStatus(error), json: faultBody(error) });
  }
}

/** What goes wrong on this side is worth a line; what a client asked wrongly it is told itself. */
function tell(
  error: unknown,
  request: IncomingMessage,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): void {
  if (signal.aborted || faultStatus(error) < 500) return;
  log.warn("a request failed", {
    request: `${request.method ?? ""} ${(request.url ?? "").slice(0, 200)}`,
    code: errorCode(error),
    error: faultBody(error).message,
  });
}

function noSuch(match: Exclude<ReturnType<Router["match"]>, Match>, request: IncomingMessage): Reply {
  return match === "method"
    ? { status: 405, json: { message: `${request.method ?? ""} is not allowed here` } }
    : { status: 404, json: { message: "page not found" } };
}

function send(response: ServerResponse, { status, json, headers = {} }: Reply): void {
  const body = json === undefined ? undefined : `${JSON.stringify(json)}\n`;
  // The type as it is: clients compare the whole of it before they read a message.
  response.writeHead(status, { ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) });
  response.end(body);
}

function refuse(socket: Duplex, { status, json, headers = {} }: Reply): void {
  const body = json === undefined ? "" : `${JSON.stringify(json)}\n`;
  const lines = [
    `HTTP/1.1 ${String(status)} ${status < 400 ? "OK" : "Refused"}`,
    "Content-Type: application/json",
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    "Connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
