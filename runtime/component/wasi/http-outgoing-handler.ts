import type { Caller } from "./guest-context.ts";
import { callTarget, callTimeouts } from "./http-call-target.ts";
import { HttpCall } from "./http-client.ts";
import type { HttpErrorCode } from "./http-error-code.ts";
import { FutureIncomingResponse } from "./http-future-response.ts";
import { IncomingResponse } from "./http-incoming.ts";
import type { OutgoingRequest, RequestOptions } from "./http-outgoing-request.ts";
import { err, ok, type Result } from "./result.ts";

/** wasi:http/outgoing-handler@0.2 */
export function httpOutgoingHandler(caller: Caller): object {
  const handle = (
    request: OutgoingRequest,
    options: RequestOptions | undefined,
  ): Result<FutureIncomingResponse, HttpErrorCode> => {
    const { context } = caller;
    request[Symbol.dispose]();
    const timeouts = callTimeouts(options?.timeouts);
    options?.[Symbol.dispose]();
    const target = callTarget(request.line);
    if ("tag" in target) return err(target);
    if (!context.takeConnection()) return err({ tag: "connection-limit-reached" });
    const future = new FutureIncomingResponse(context);
    const call = new HttpCall(context, {
      timeouts,
      settle(answer) {
        if (answer.tag === "err") return future.settle(answer);
        const { body, abandon } = answer.val;
        future.settle(ok(new IncomingResponse(context, answer.val, body, abandon)));
      },
      closed: () => context.connections.give(),
    });
    future.onAbandon(() => call.close());
    void call.start(target, request);
    return ok(future);
  };
  return { handle };
}
