import { Fields, type IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wazi:http/types@0.2.10";
import type { FunctionModule } from "../function.ts";
import { RequestSockets } from "../service-sockets.ts";
import { ReceivedRequest, Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import { IncomingBytes, writeBody } from "./bodies.ts";
import { headersOf, listOf } from "./fields.ts";
import { runUntil } from "./loop.ts";

/**
 * `wasi:http/incoming-handler`: one call, one request, one answer. Returns when the answer's body has left. A function
 * that throws or rejects makes the call trap, which the host answers with 502 and writes to the pod's log.
 */
export function handleIncoming(fn: FunctionModule, incoming: IncomingRequest, outparam: ResponseOutparam): void {
  const request = requestOf(incoming) as unknown as globalThis.Request;
  const sockets = new RequestSockets(request);
  const given = settled(fn.fetch(request, sockets));
  if (!(given instanceof Response)) throw new TypeError("fetch must return a Response, or a promise of one");
  const response = sockets.answered(given as unknown as globalThis.Response) as unknown as Response;
  const outgoing = new OutgoingResponse(Fields.fromList(listOf(response.headers)));
  if (response.status !== okStatus) outgoing.setStatusCode(response.status);
  const body = outgoing.body();
  ResponseOutparam.set(outparam, { tag: "ok", val: outgoing });
  settled(writeBody(body, response));
  OutgoingBody.finish(body, null);
}

/** What `wasi:http` gives an answer of which nothing is said. */
const okStatus = 200;

/** Runs the loop until the promise is settled; of what is there already only the microtasks that stand in line. */
function settled(value: unknown): unknown {
  if (!isThenable(value)) {
    runUntil(() => true);
    return value;
  }
  let outcome: { readonly value: unknown } | { readonly error: unknown } | undefined;
  Promise.resolve(value).then(
    (result: unknown) => void (outcome = { value: result }),
    (error: unknown) => void (outcome = { error }),
  );
  runUntil(() => outcome !== undefined);
  if (outcome !== undefined && "error" in outcome) throw outcome.error;
  return outcome?.value;
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

function requestOf(incoming: IncomingRequest): Request {
  const { tag, val } = incoming.method();
  const method = tag === "other" ? (val ?? "GET") : tag.toUpperCase();
  const headers = headersOf(() => incoming.headers());
  const url = (): string => {
    const scheme = incoming.scheme()?.tag === "HTTPS" ? "https" : "http";
    const authority = incoming.authority() ?? headers.get("host") ?? "localhost";
    return new URL(`${scheme}://${authority}${incoming.pathWithQuery() ?? "/"}`).href;
  };
  const body = method === "GET" || method === "HEAD" ? null : new IncomingBytes(() => incoming.consume());
  return new Request(new ReceivedRequest(method, headers, { url, body }));
}
