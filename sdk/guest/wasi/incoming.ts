import { Fields, type IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wazi:http/types@0.2.10";
import type { FunctionModule } from "../function.ts";
import { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import { readableOf, writeBody } from "./bodies.ts";
import { headersOf, listOf } from "./fields.ts";
import { runUntil } from "./loop.ts";

/**
 * `wasi:http/incoming-handler`: one call, one request, one answer. Returns when the answer's body has left. A function
 * that throws or rejects makes the call trap, which the host answers with 502 and writes to the pod's log.
 */
export function handleIncoming(fn: FunctionModule, incoming: IncomingRequest, outparam: ResponseOutparam): void {
  let outcome: { readonly error?: unknown } | undefined;
  answer(fn, incoming, outparam).then(
    () => void (outcome = {}),
    (error: unknown) => void (outcome = { error }),
  );
  runUntil(() => outcome !== undefined);
  if (outcome !== undefined && "error" in outcome) throw outcome.error;
}

async function answer(fn: FunctionModule, incoming: IncomingRequest, outparam: ResponseOutparam): Promise<void> {
  const response: unknown = await fn.fetch(requestOf(incoming) as unknown as globalThis.Request);
  if (!(response instanceof Response)) throw new TypeError("fetch must return a Response, or a promise of one");
  const outgoing = new OutgoingResponse(Fields.fromList(listOf(response.headers)));
  outgoing.setStatusCode(response.status);
  const body = outgoing.body();
  ResponseOutparam.set(outparam, { tag: "ok", val: outgoing });
  await writeBody(body, response);
  OutgoingBody.finish(body, null);
}

function requestOf(incoming: IncomingRequest): Request {
  const method = incoming.method();
  const fields = incoming.headers();
  const headers = headersOf(fields);
  fields[Symbol.dispose]();
  const scheme = incoming.scheme()?.tag === "HTTPS" ? "https" : "http";
  const authority = incoming.authority() ?? headers.get("host") ?? "localhost";
  const url = `${scheme}://${authority}${incoming.pathWithQuery() ?? "/"}`;
  const name = method.tag === "other" ? (method.val ?? "GET") : method.tag.toUpperCase();
  const hasBody = name !== "GET" && name !== "HEAD";
  return new Request(url, { method: name, headers, ...(hasBody ? { body: readableOf(incoming.consume()) } : {}) });
}
