import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { functionOf, type FunctionModule } from "../../guest/function.ts";
import { RequestSockets } from "../../guest/service-sockets.ts";
import { sendBody } from "./send-body.ts";

/** Runs inside a native pod: answers HTTP on $PORT with a function's `fetch`, until SIGTERM. */
export function serve(exported: unknown): void {
  const fn = functionOf(exported);
  const server = createServer((incoming, outgoing) => {
    answer(fn, incoming, outgoing).catch((error: unknown) => {
      console.error(error);
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { "content-type": "text/plain" }).end("the function failed\n");
    });
  });
  server.listen(Number(process.env["PORT"] ?? 8080));
  process.once("SIGTERM", () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

async function answer(fn: FunctionModule, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const request = requestOf(incoming, gone.signal);
  const sockets = new RequestSockets(request);
  const response = sockets.answered(await fn.fetch(request, sockets));
  const headers: string[] = [];
  for (const [name, value] of response.headers) headers.push(name, value);
  outgoing.writeHead(response.status, headers);
  if (response.body === null) outgoing.end();
  else await sendBody(response.body, outgoing);
}

function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? "", incoming.rawHeaders[at + 1] ?? "");
  }
  const scheme = headers.get("x-forwarded-proto") === "https" ? "https" : "http";
  const url = new URL(incoming.url ?? "/", `${scheme}://${headers.get("host") ?? "localhost"}`);
  const method = incoming.method ?? "GET";
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
  return new Request(url, {
    method,
    headers,
    signal,
    body: Readable.toWeb(incoming) as ReadableStream,
    duplex: "half",
  });
}
