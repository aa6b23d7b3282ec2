import { Fields, type IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wazi:http/types@0.2.10";
import type { FunctionModule } from "../function.ts";
import { RequestSockets } from "../service-sockets.ts";
import type { ReceivedBody } from "../web/body.ts";
import type { Headers } from "../web/headers.ts";
import { ReceivedRequest, Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import { hrefOf } from "../web/url.ts";
import { IncomingBytes, writeBody } from "./bodies.ts";
import { fieldsOf, headersOf } from "./fields.ts";
import { runMicrotasks, runUntil } from "./loop.ts";

/**
 * `wasi:http/incoming-handler`: one call, one request, one answer. Returns when the answer's body has left. A function
 * that throws or rejects makes the call trap, which the host answers with 502 and writes to the pod's log.
 *
 * Each request meets a heap that is cold, and of which each page that is written is put back afterwards: what counts is how many
 * objects it comes past, functions of the engine among them, and less how often.
 */
export function handleIncoming(fn: FunctionModule, incoming: IncomingRequest, outparam: ResponseOutparam): void {
  const request = new Request(new HostRequest(incoming)) as unknown as globalThis.Request;
  const sockets = new RequestSockets(request);
  const given = settled(fn.fetch(request, sockets));
  if (!Response.is(given)) throw new TypeError("fetch must return a Response, or a promise of one");
  const response = sockets.answered(given as unknown as globalThis.Response) as unknown as Response;
  const { status } = response;
  const outgoing = new OutgoingResponse(Fields.fromList(fieldsOf(response)));
  if (status !== okStatus) outgoing.setStatusCode(status);
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
    runMicrotasks();
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
  typeof value === "object" &&
  value !== null &&
  !Response.is(value) &&
  "then" in value &&
  typeof value.then === "function";

class HostRequest extends ReceivedRequest {
  readonly #incoming: IncomingRequest;

  constructor(incoming: IncomingRequest) {
    super();
    this.#incoming = incoming;
  }

  protected override askMethod(): string {
    const { tag, val } = this.#incoming.method();
    return tag === "other" ? (val ?? "GET") : tag.toUpperCase();
  }

  protected override askHeaders(): Headers {
    return headersOf(() => this.#incoming.headers());
  }

  protected override askUrl(): string {
    const incoming = this.#incoming;
    const scheme = incoming.scheme()?.tag === "HTTPS" ? "https" : "http";
    const authority = incoming.authority() ?? this.headers.get("host") ?? "localhost";
    return hrefOf(`${scheme}://${authority}${incoming.pathWithQuery() ?? "/"}`);
  }

  override get body(): ReceivedBody | null {
    const { method } = this;
    return method === "GET" || method === "HEAD" ? null : new IncomingBytes(() => this.#incoming.consume());
  }
}
