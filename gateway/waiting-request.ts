import type { OpenRequest } from "./listen/connections.ts";
import type { AcceptedRequest } from "./listen/http-server.ts";
import { answerFault } from "./proxy/answer-fault.ts";
import { GatewayFault } from "./proxy/fault-status.ts";
import type { DirectAnswer } from "./filter/passage.ts";

/** A request that is still held against its rule, such as while a token is verified. */
export class WaitingRequest implements OpenRequest {
  readonly #request: AcceptedRequest;
  readonly #over: () => void;
  readonly #tell: (fault: GatewayFault) => void;
  #next: OpenRequest | undefined;
  #isOver = false;

  /** @param tell hears of the fault that it is answered with */
  constructor(request: AcceptedRequest, over: () => void, tell: (fault: GatewayFault) => void) {
    this.#request = request;
    this.#over = over;
    this.#tell = tell;
    request.peer.onceClosed(() => this.#end());
  }

  /** It may pass: `begin` takes it on, or refuses it after all, unless its client has gone. */
  proceed(begin: () => OpenRequest): void {
    if (this.#isOver) return;
    try {
      this.#next = begin();
    } catch (error) {
      // Nobody else is there to hear it: it would end the process.
      if (!(error instanceof GatewayFault)) throw error;
      this.refuseWith(error);
    }
  }

  refuseWith(error: unknown): void {
    if (this.#isOver) return;
    const { peer, id, expectsContinue, record } = this.#request;
    this.#end();
    const fault = error instanceof GatewayFault ? error : new GatewayFault("RULE_UNUSABLE", "", { cause: error });
    const { code, headers } = fault;
    if (record !== undefined) record.code = code;
    this.#tell(fault);
    answerFault(peer, { code, requestId: id, headers, inDoubt: !peer.complete && expectsContinue });
    peer.discardRest();
  }

  refuse(code: "BAD_REQUEST"): void {
    if (this.#next !== undefined) return this.#next.refuse(code);
    this.refuseWith(new GatewayFault(code, ""));
  }

  closeAfter(): void {
    if (this.#next !== undefined) return this.#next.closeAfter();
    this.#request.peer.closeAfter();
  }

  #end(): void {
    if (this.#isOver || this.#next !== undefined) return;
    this.#isOver = true;
    this.#over();
  }
}

/** Gives an answer that needs no pod. */
export function answerDirectly({ peer, status, headers, body = "" }: DirectAnswer, over: () => void): OpenRequest {
  over();
  // RFC 9110, 8.6: a 204 has no length.
  const length = status === 204 ? [] : ["content-length", String(Buffer.byteLength(body))];
  peer.writeHead(status, [...headers, ...length], body === "" ? "nothing" : "body");
  peer.end(body === "" ? undefined : body);
  peer.discardRest();
  return { refuse: () => undefined, closeAfter: () => peer.closeAfter() };
}
