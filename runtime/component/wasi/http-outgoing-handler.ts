import type { GuestContext } from "./guest-context.ts";
import { type CallTarget, type CallTimeouts, type FutureIncomingResponse, HttpCall } from "./http-client.ts";
import type { HttpErrorCode } from "./http-error-code.ts";
import { methodToken } from "./http-method.ts";
import type { OutgoingRequest, RequestOptions } from "./http-outgoing-request.ts";
import { err, ok, type Result } from "./result.ts";

// A guest that says nothing waits this long at most; its own request deadline usually ends it before.
const defaultTimeoutMs = 600_000;
const timeoutMsMax = 3_600_000;

const milliseconds = (durationNs: bigint | undefined): number =>
  durationNs === undefined ? defaultTimeoutMs : Math.min(timeoutMsMax, Math.ceil(Number(durationNs) / 1e6));

function timeoutsOf(options: RequestOptions | undefined): CallTimeouts {
  return {
    connectMs: milliseconds(options?.connectTimeout()),
    firstByteMs: milliseconds(options?.firstByteTimeout()),
    betweenBytesMs: milliseconds(options?.betweenBytesTimeout()),
  };
}

function targetOf(request: OutgoingRequest): CallTarget | HttpErrorCode {
  const scheme = request.scheme()?.tag ?? "HTTPS";
  const method = methodToken(request.method());
  if (method === undefined || method === "CONNECT") return { tag: "HTTP-request-method-invalid" };
  const authority = request.authority() ?? "";
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d*))?$/.exec(authority);
  if (parts === null || scheme === "other") return { tag: "HTTP-request-URI-invalid" };
  const port = parts[2] === undefined || parts[2] === "" ? undefined : Number(parts[2]);
  if (port !== undefined && (port === 0 || port > 65_535)) return { tag: "HTTP-request-URI-invalid" };
  const path = request.pathWithQuery() ?? "/";
  return {
    secure: scheme === "HTTPS",
    hostname: parts[1] ?? "",
    port,
    method,
    path: path.startsWith("/") ? path : `/${path}`,
    authority,
  };
}

/** wasi:http/outgoing-handler@0.2 */
export function httpOutgoingHandler(context: GuestContext): object {
  let calls = 0;
  const handle = (
    request: OutgoingRequest,
    options: RequestOptions | undefined,
  ): Result<FutureIncomingResponse, HttpErrorCode> => {
    request[Symbol.dispose]();
    const timeouts = timeoutsOf(options);
    options?.[Symbol.dispose]();
    const target = targetOf(request);
    if ("tag" in target) return err(target);
    if (calls >= context.settings.bounds.outgoingRequestsMax) return err({ tag: "connection-limit-reached" });
    calls++;
    const call = new HttpCall(context, timeouts, () => {
      calls--;
    });
    void call.start(target, request);
    return ok(call.future);
  };
  return { handle };
}
