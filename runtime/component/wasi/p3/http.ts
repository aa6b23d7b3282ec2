import { cancellable } from "../../abi/stream.ts";
import type { Caller } from "../guest-context.ts";
import { parseContentLength } from "../header-rules.ts";
import { callTarget, callTimeouts } from "../http-call-target.ts";
import { HttpCall } from "../http-client.ts";
import { BodySink } from "../http-body-sink.ts";
import type { HttpErrorCode } from "../http-error-code.ts";
import { err, ok, type Result } from "../result.ts";
import { fieldsClass } from "./http-fields.ts";
import { type HttpRequest, requestClass } from "./http-request.ts";
import { requestOptionsClass } from "./http-request-options.ts";
import { HttpResponse, responseClass } from "./http-response.ts";

/** wasi:http/types@0.3 */
export const httpTypes = (caller: Caller): object => ({
  Fields: fieldsClass(caller),
  Request: requestClass(caller),
  RequestOptions: requestOptionsClass(caller),
  Response: responseClass(caller),
});

type Answer = Result<HttpResponse, HttpErrorCode>;

/** wasi:http/client@0.3 */
export const httpClient = (caller: Caller): object => ({
  send(request: HttpRequest): Answer | Promise<Answer> {
    const { context } = caller;
    const target = callTarget(request.line);
    if ("tag" in target) return refuse(request, target);
    if (!context.takeConnection()) return refuse(request, { tag: "connection-limit-reached" });
    const { headers, body } = request;
    const flatHeaders = headers.toFlat();
    const bodySink = new BodySink(context.settings.bounds.bufferBytesMax, announcedLength(request));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const call = new HttpCall(context, {
      timeouts: callTimeouts(request.options?.timeouts),
      settle(answer) {
        try {
          if (answer.tag === "ok") resolve(ok(HttpResponse.arrived(context, answer.val)));
          else resolve(bodySink.hasWrongLength ? err({ tag: "HTTP-request-body-size", val: undefined }) : answer);
        } catch (error) {
          // The guest holds too much.
          reject(error);
        }
      },
      closed: () => context.connections.give(),
    });
    void call.start(target, { flatHeaders, bodySink: body.hasContents ? bodySink : undefined });
    body.sendTo(context, bodySink, "HTTP-request-body-size").then(
      (sent) => {
        // A request without contents has trailers too, which may say that it shall not be.
        if (sent.tag === "err") resolve(sent);
        if (sent.tag === "err" && !body.hasContents) call.close();
      },
      // The guest has failed, and is told so elsewhere.
      () => call.close(),
    );
    request[Symbol.dispose]();
    return cancellable(promise, () => call.close());
  },
});

/** A request without contents has no body, whatever it announces. */
function announcedLength({ body, headers }: HttpRequest): number | undefined {
  if (!body.hasContents) return undefined;
  return parseContentLength(headers.getText("content-length")) ?? undefined;
}

function refuse(request: HttpRequest, code: HttpErrorCode): Answer {
  request.body.drop(code);
  request[Symbol.dispose]();
  return err(code);
}
