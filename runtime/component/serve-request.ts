import type { GuestRequest, GuestResponse } from "./engine.ts";
import { GuestFault } from "./guest-fault.ts";
import type { GuestContext } from "./wasi/guest-context.ts";
import { IncomingRequest } from "./wasi/http-incoming.ts";
import { ResponseOutparam } from "./wasi/http-outgoing.ts";

export interface ServedRequest {
  readonly context: GuestContext;
  readonly request: GuestRequest;
  readonly response: GuestResponse;
}

/** Gives a request to a guest's `wasi:http/incoming-handler.handle`. @throws what `handle` throws, and GuestFault */
export async function serveRequest(
  { context, request, response }: ServedRequest,
  handle: (incoming: IncomingRequest, outparam: ResponseOutparam) => unknown,
): Promise<void> {
  const incoming = new IncomingRequest(context, request);
  const outparam = new ResponseOutparam(context, response, request.method === "HEAD");
  await handle(incoming, outparam);
  if (!outparam.isSet) throw new GuestFault("GUEST_FAILED", "the guest returned without an answer");
}
