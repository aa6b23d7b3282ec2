import type { GuestCall } from "./abi/stream.ts";
import type { GuestRequest, GuestResponse, Instance } from "./engine.ts";
import { type GuestFault, guestFaultOf } from "./guest-fault.ts";
import { breachOf, type LiveFork, memoryBytesOf } from "./live-fork.ts";
import type { Callee } from "./link/link-plan.ts";
import type { GuestContext } from "./wasi/guest-context.ts";
import type { BodySink } from "./wasi/http-body-sink.ts";
import { describeErrorCode, type HttpErrorCode } from "./wasi/http-error-code.ts";
import { HttpRequest } from "./wasi/p3/http-request.ts";
import type { HttpResponse } from "./wasi/p3/http-response.ts";
import type { Result } from "./wasi/result.ts";

/** A request on its way through the guest. */
interface Service {
  call: GuestCall | undefined;
  body: BodySink | undefined;
}

/** An instance that exports `wasi:http/handler` of 0.3: each request is a task, and several may be in it at once. */
export class ServiceInstance implements Instance {
  readonly #fork: LiveFork;
  readonly #context: GuestContext;
  readonly #handler: Callee;
  readonly #ended: (isClean: boolean) => void;
  readonly #services = new Map<GuestRequest, Service>();
  #hasFailed = false;
  #isDisposed = false;

  /** `ended`: nothing of it is wanted any more; `isClean` when no request of it has failed or is under way. */
  constructor(fork: LiveFork, handler: Callee, ended: (isClean: boolean) => void) {
    this.#fork = fork;
    this.#context = fork.caller.context;
    this.#handler = handler;
    fork.live.isAlone = !this.#context.settings.isShared;
    this.#ended = ended;
  }

  async handle(request: GuestRequest, response: GuestResponse): Promise<void> {
    const service: Service = { call: undefined, body: undefined };
    // What an earlier request has met is no reason of this one's.
    if (this.#services.size === 0) this.#context.breach = undefined;
    this.#services.set(request, service);
    this.#context.requestHeaders = this.#services.size === 1 ? request.headers : undefined;
    try {
      const arrived = HttpRequest.arrived(this.#context, request);
      const call = this.#fork.live.start(this.#handler, [arrived], request.running);
      service.call = call;
      const answer = (await call.returned) as Result<HttpResponse, HttpErrorCode>;
      if (answer.tag === "err")
        return response.fail(`the guest answered with the error ${describeErrorCode(answer.val)}`);
      const begun = (body: BodySink): void => void (service.body = body);
      await answer.val.send(response, { isHead: request.method === "HEAD", begun });
    } catch (error) {
      this.#hasFailed = true;
      throw guestFaultOf(error, "the guest failed");
    } finally {
      this.#services.delete(request);
    }
  }

  /** The guest is asked to stop, and has neither more to read nor anywhere to write. */
  abandon(request: GuestRequest): void {
    const service = this.#services.get(request);
    request.body.fail("the request was given up", { kind: "http", code: { tag: "connection-terminated" } });
    service?.call?.cancel();
    service?.body?.fail("the request was given up");
  }

  memoryBytes(): number {
    return memoryBytesOf(this.#fork);
  }

  breach(): GuestFault | undefined {
    return breachOf(this.#fork, this.#context);
  }

  /** Which of the promises that the guest waits for were lost nobody can say: perhaps one of each request's. */
  isWoken(): boolean {
    return this.#services.size > 0;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#context.end();
    this.#ended(!this.#hasFailed && this.#services.size === 0);
  }
}
