import type { GuestRequest, GuestResponse } from "./engine.ts";
import { GuestFault } from "./guest-fault.ts";
import type { GuestContext } from "./wasi/guest-context.ts";
import { IncomingRequest } from "./wasi/http-incoming.ts";
import { ResponseOutparam } from "./wasi/http-outgoing.ts";

/** A request as a guest's `wasi:http/incoming-handler.handle` is given it. */
export class ServedRequest {
  readonly incoming: IncomingRequest;
  readonly outparam: ResponseOutparam;

  constructor(context: GuestContext, request: GuestRequest, response: GuestResponse) {
    context.requestHeaders = request.headers;
    this.incoming = new IncomingRequest(context, request);
    this.outparam = new ResponseOutparam(context, response, request.method === "HEAD");
  }

  /** The guest has returned. @throws GuestFault when it has not answered */
  expectAnswer(): void {
    if (!this.outparam.isSet) throw new GuestFault("GUEST_FAILED", "the guest returned without an answer");
  }
}
