import type { Caller } from "./guest-context.ts";
import type { HttpErrorCode } from "./http-error-code.ts";
import { type Fields, fieldsClass } from "./http-fields.ts";
import { FutureIncomingResponse } from "./http-future-response.ts";
import { FutureTrailers, IncomingBody, IncomingRequest, IncomingResponse } from "./http-incoming.ts";
import { OutgoingBody, OutgoingResponse, ResponseOutparam } from "./http-outgoing.ts";
import { OutgoingRequest, RequestOptions } from "./http-outgoing-request.ts";
import type { IoError } from "./io-error.ts";
import { guestClass, notConstructible } from "./resource.ts";
import type { Result } from "./result.ts";

/** wasi:http/types@0.2 */
export const httpTypes = (caller: Caller): object => ({
  Fields: fieldsClass(caller),
  FutureIncomingResponse: guestClass(FutureIncomingResponse, notConstructible, {}),
  FutureTrailers: guestClass(FutureTrailers, notConstructible, {}),
  IncomingBody: guestClass(IncomingBody, notConstructible, {
    finish: (body: IncomingBody) => body.finish(),
  }),
  IncomingRequest: guestClass(IncomingRequest, notConstructible, {}),
  IncomingResponse: guestClass(IncomingResponse, notConstructible, {}),
  OutgoingBody: guestClass(OutgoingBody, notConstructible, {
    finish: (body: OutgoingBody, trailers: Fields | undefined) => body.finish(trailers),
  }),
  OutgoingRequest: guestClass(OutgoingRequest, (headers: Fields) => new OutgoingRequest(caller.context, headers), {}),
  OutgoingResponse: guestClass(
    OutgoingResponse,
    (headers: Fields) => new OutgoingResponse(caller.context, headers),
    {},
  ),
  RequestOptions: guestClass(RequestOptions, () => new RequestOptions(caller.context), {}),
  ResponseOutparam: guestClass(ResponseOutparam, notConstructible, {
    set: (param: ResponseOutparam, result: Result<OutgoingResponse, HttpErrorCode>) => param.answer(result),
  }),
  httpErrorCode: (error: IoError) => (error.cause?.kind === "http" ? error.cause.code : undefined),
});
