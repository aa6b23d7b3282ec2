import { type Clock, describeError } from "@shallop/sdk/internal";
import type { ResponseHead } from "@shallop/sdk/wire";
import type { Dispatcher, Waiter } from "../activate/dispatcher.ts";
import type { PodSlot } from "../balance/pod-set.ts";
import type { GatewayLimits } from "../limits.ts";
import { affinityOf } from "../route/affinity.ts";
import type { PodTarget, RevisionTarget } from "../route/target.ts";
import type { LoadEntry, LoadMeter } from "../stats/load.ts";
import type { RequestRecord } from "../stats/request-record.ts";
import type { RequestStories } from "../stats/request-stories.ts";
import type { Abandonments } from "./abandonments.ts";
import { answerFault, breakOff } from "./answer-fault.ts";
import { type AnswerPrefix, ClientAnswer } from "./client-answer.ts";
import { ClientBody } from "./client-body.ts";
import type { ClientEnd } from "./client-end.ts";
import { Deadline, type DeadlineOwner } from "./deadline.ts";
import { type Asked, ExchangeStory } from "./exchange-story.ts";
import type { FaultLog } from "./fault-log.ts";
import { clientText, faultStatus, GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import { addForwarded, type ClientAddress, type ClientHeaders, isIdempotent } from "./request-head.ts";
import { readInterimHead } from "./response-head.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import { mayRetry, type RetryBudget } from "./retry.ts";
import type { ServerTimingMode } from "./server-timing.ts";
import type { CancelUpstream, UpstreamHandlers, UpstreamRequest, UpstreamStream } from "./upstream.ts";
import type { Upstreams } from "./upstreams.ts";

export interface ExchangeContext {
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  readonly meter: LoadMeter;
  readonly upstreams: Upstreams;
  readonly budget: RetryBudget;
  readonly kept: KeptBytes;
  readonly faults: FaultLog;
  readonly stories: RequestStories;
  readonly abandonments: Abandonments;
  readonly serverTiming: ServerTimingMode;
  /** Carries out what a function says to the WebSockets of its service before its answer. */
  readonly said: (revision: RevisionTarget, byteCount: number) => AnswerPrefix;
}

export interface ClientRequest {
  readonly peer: ClientEnd;
  readonly id: string;
  readonly client: ClientAddress;
  readonly authority: string;
  /** As the client named it; undefined: the same. */
  readonly askedAuthority?: string | undefined;
  readonly scheme: "http" | "https";
  /** Path and query. */
  readonly target: string;
  readonly headers: ClientHeaders;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** Somebody watches. */
  readonly record?: RequestRecord | undefined;
  /** What the rule says of it beside where it goes. */
  readonly rules?: ExchangeRules;
}

interface Seat {
  /** As `stickyToken` has its name. */
  readonly pod: string | undefined;
  took(pod: PodTarget): void;
}

/** What a routing rule says of the life of a request. */
export interface ExchangeRules {
  /** Of a session: the pod that it wants, and is told of the one that it gets. */
  readonly seat?: Seat | undefined;
  /** For all of it, attempts that failed included. */
  readonly timeoutMs?: number | undefined;
  /** For one attempt to begin its answer. */
  readonly attemptTimeoutMs?: number | undefined;
  readonly bodyBytesMax?: number | undefined;
  /** Answers that may be asked for again, and how often; by methods that may be done twice, and within the budget. */
  readonly retry?:
    | { readonly codes: ReadonlySet<number>; readonly attempts: number; readonly backoffMs: number }
    | undefined;
  /** A pod has answered with this status. @returns for how long it is to be left alone; undefined: it is not. */
  readonly judge?: ((pod: PodTarget, status: number, usablePods: number) => number | undefined) | undefined;
}

// What took a pod may be taking its node's other pods, too. By then the gateway has heard of those.
const lostPauseMs = 50;
/** The life of one request: waits for a pod, is sent to it, perhaps again to another, and is answered. */
export class Exchange implements Waiter, UpstreamHandlers, DeadlineOwner {
  readonly #context: ExchangeContext;
  readonly affinity: string | undefined;
  readonly #request: ClientRequest;
  readonly #dispatcher: Dispatcher;
  readonly #over: () => void;
  readonly #body: ClientBody;
  readonly #answer: ClientAnswer;
  readonly #story: ExchangeStory;
  readonly #deadline: Deadline;
  readonly #load: LoadEntry;
  readonly #upstreamRequest: UpstreamRequest;
  #slot: PodSlot | undefined;
  #cancel: CancelUpstream | undefined;
  #stream: UpstreamStream | undefined;
  /** A handshake whose pod cannot be upgraded: nothing of what the client says reaches it. */
  #isQuestion = false;
  #losses = 0;
  /** Answers that were asked for again. */
  #repeats = 0;
  #podsLost = 0;
  #done = false;

  /** `over` is called once, when the request needs its pod no more. */
  constructor(context: ExchangeContext, request: ClientRequest, dispatcher: Dispatcher, over: () => void) {
    this.#context = context;
    this.#request = request;
    this.#dispatcher = dispatcher;
    this.#over = over;
    this.affinity = affinityOf(dispatcher.target.balance.hashBy, {
      address: request.client.address,
      target: request.target,
      headers: request.headers.headers,
    });
    this.#story = new ExchangeStory(context.clock.nowMs());
    this.#load = context.meter.arrived(dispatcher.target.key, this.#story.arrivedMs);
    context.budget.earn();
    this.#answer = new ClientAnswer({
      peer: request.peer,
      requestId: request.id,
      serverTiming: () => this.#serverTiming(),
      prefix: (byteCount) => context.said(dispatcher.target, byteCount),
      clock: context.clock,
      unread: () => this.#unread(),
    });
    const { clock, limits, kept } = context;
    const { rules, record } = request;
    this.#body = new ClientBody(request, { bytesMax: rules?.bodyBytesMax ?? limits.bodyBytesMax, clock, kept });
    if (record !== undefined) {
      record.revision = dispatcher.target;
      record.story = this.#story;
    }
    this.#deadline = new Deadline(this, { clock, limits, dispatcher, rules, story: this.#story, body: this.#body });
    this.#upstreamRequest = this.#makeRequest();
  }

  get seat(): string | undefined {
    return this.#request.rules?.seat?.pod;
  }

  get hasPod(): boolean {
    return this.#slot !== undefined;
  }

  get answerStatus(): number | undefined {
    return this.#answer.head?.status;
  }

  get unreadSinceMs(): number | undefined {
    return this.#answer.unreadSinceMs;
  }

  start(): void {
    this.#request.peer.onceClosed(() => this.#clientGone());
    this.#acquire();
  }

  /** What the client sends is no HTTP any more: ends with that, if no answer has begun. */
  refuse(code: GatewayFaultCode): void {
    if (this.#done) return;
    this.#cancel?.();
    this.#fail(new GatewayFault(code, "the connection carries what is no HTTP"), true);
  }

  closeAfter(): void {
    this.#request.peer.closeAfter();
  }

  granted(slot: PodSlot): void {
    const nowMs = this.#context.clock.nowMs();
    this.#slot = slot;
    this.#request.rules?.seat?.took(slot.target);
    this.#story.granted(slot.target, nowMs, this.#dispatcher.lastActivation);
    this.#deadline.arm(nowMs);
    const upstream = this.#context.upstreams.of(slot.target, this.#dispatcher.target);
    // Where a pod's protocol has no upgrade, its function can ask the gateway to hold the WebSocket.
    this.#isQuestion = this.#upstreamRequest.isUpgrade && !upstream.upgrades;
    const question = { isUpgrade: false, hasBody: false };
    const cancel = upstream.open(
      this.#isQuestion ? { ...this.#upstreamRequest, ...question } : this.#upstreamRequest,
      this,
    );
    if (this.#slot === slot) this.#cancel = cancel;
    else cancel();
  }

  refused(fault: GatewayFault): void {
    if (!this.#done) this.#fail(fault);
  }

  opened(stream: UpstreamStream): void {
    this.#stream = stream;
    if (this.#isQuestion) return stream.end();
    this.#body.sendTo(stream, (code) => {
      this.#cancel?.();
      this.#fail(new GatewayFault(code, "the body of the request is too large"));
    });
    this.#watchBody();
  }

  writable(): void {
    this.#body.writable();
    this.#watchBody();
  }

  informed(status: number, headers: readonly string[]): void {
    if (!this.#done && this.#answer.head === undefined) this.#request.peer.inform(status, readInterimHead(headers));
  }

  head(head: ResponseHead): void {
    this.#judge(head.status);
    if (this.#request.rules?.retry?.codes.has(head.status) === true && this.#repeat()) return;
    if (head.status === 101 && (this.#isQuestion || !this.#upstreamRequest.isUpgrade)) {
      return this.#abandon(new GatewayFault("ANSWER_INVALID", "the pod switched protocols without being asked"));
    }
    try {
      this.#answer.begin(head.status, head.headers);
    } catch (error) {
      return this.#abandon(error);
    }
    const nowMs = this.#context.clock.nowMs();
    this.#story.answered(nowMs, head.phasesMs, this.#dispatcher.lastActivation);
    this.#body.forgetSent();
    if (this.#dispatcher.target.idleTimeoutMs > 0 || head.status === 101) this.#deadline.arm(nowMs);
    // What else of the answer came in the same read is known by then.
    process.nextTick(flushHead, this);
  }

  data(chunk: Buffer): void {
    if (this.#done) return;
    if (this.#dispatcher.target.idleTimeoutMs > 0) this.#story.lastAnswerMs = this.#context.clock.nowMs();
    try {
      this.#answer.data(chunk, this.#stream);
    } catch (error) {
      this.#abandon(error);
    }
  }

  end(rawTrailers: readonly string[] = []): void {
    const { head } = this.#answer;
    if (this.#done || head === undefined) return;
    try {
      this.#answer.end(rawTrailers);
    } catch (error) {
      return this.#abandon(error);
    }
    this.#finish("answered");
    this.#request.peer.discardRest();
    if (head.status < 400) return;
    const { clock, stories } = this.#context;
    stories.add(this.#story.tellAnswered(this.#asked(), head.status, clock));
  }

  failed(fault: GatewayFault): void {
    if (this.#done) return;
    if (fault.code === "CONNECTION_LOST" && this.#deadline.isTooLate) {
      // A guest that does not give its thread back is ended with it, and the connection is all that tells. The request
      // did that: elsewhere it would do it again.
      return this.#fail(
        new GatewayFault("GUEST_TIMEOUT", "the pod ended the guest at its time limit", { cause: fault }),
      );
    }
    // It has waited there for all of its time: another pod could only be told that it is too late.
    if (fault.code === "REFUSED" && this.#deadline.isTooLate) return this.#fail(fault);
    this.#stream = undefined;
    this.#cancel = undefined;
    this.#body.detach();
    const isKnown = this.#slot?.isWell === false;
    if (fault.code !== "CONNECT_FAILED") this.#losses++;
    if (fault.code === "CONNECTION_LOST" && !isKnown) this.#podsLost++;
    const attempt = {
      code: fault.code,
      losses: this.#losses,
      podsLost: this.#podsLost,
      answered: this.#answer.head !== undefined,
      idempotent: isIdempotent(this.#request.peer.method),
      replayable: this.#body.replayable,
      isKnown,
    };
    if (!mayRetry(attempt, this.#context.budget)) return this.#fail(fault);
    this.#release(fault.code);
    if (fault.code !== "CONNECTION_LOST" || isKnown) return this.#acquire();
    this.#context.clock.after(lostPauseMs, () => {
      if (!this.#done) this.#acquire();
    });
  }

  /** Sends what there is of the answer; unless that has been done, or the answer is over. */
  flush(): void {
    if (this.#done) return;
    try {
      this.#answer.flush(this.#stream);
    } catch (error) {
      this.#abandon(error);
    }
  }

  /** Tells the rule's judge how the pod has answered. */
  #judge(status: number): void {
    const slot = this.#slot;
    if (slot === undefined) return;
    const ejectedMs = this.#request.rules?.judge?.(slot.target, status, this.#dispatcher.usablePods);
    if (ejectedMs !== undefined) this.#dispatcher.eject(slot, ejectedMs);
  }

  /** Gives the attempt up and makes another one, if the rule, the request and the budget allow it. */
  #repeat(): boolean {
    const { retry } = this.#request.rules ?? {};
    const may =
      retry !== undefined &&
      this.#repeats < retry.attempts &&
      isIdempotent(this.#request.peer.method) &&
      this.#body.replayable &&
      !this.#upstreamRequest.isUpgrade;
    if (!may || !this.#context.budget.take()) return false;
    this.#cancel?.();
    this.#stream = undefined;
    this.#body.detach();
    this.#release("OVERLOADED");
    this.#context.clock.after(retry.backoffMs * 2 ** this.#repeats++, () => {
      if (!this.#done) this.#acquire();
    });
    return true;
  }

  #acquire(): void {
    const slot = this.#dispatcher.acquire(this);
    if (slot !== undefined) return this.granted(slot);
    this.#story.isHeld = true;
    if (!this.#done) this.#deadline.arm(this.#context.clock.nowMs());
  }

  #makeRequest(): UpstreamRequest {
    const { headers, peer, authority, askedAuthority = authority, client, id, target, scheme } = this.#request;
    addForwarded(headers.headers, client, { authority: askedAuthority, requestId: id, scheme });
    return {
      head: {
        method: peer.method,
        target,
        scheme,
        authority,
        headers: headers.headers,
        requestId: id,
        timeoutMs: Math.min(
          this.#dispatcher.target.timeoutMs,
          this.#request.rules?.timeoutMs ?? Number.POSITIVE_INFINITY,
        ),
      },
      contentLength: headers.contentLength,
      hasBody: this.#body.expected,
      isUpgrade: headers.isUpgrade,
    };
  }

  #serverTiming(): string {
    const { serverTiming } = this.#context;
    const isTold =
      serverTiming === "always" ||
      this.#request.headers.timing ||
      (serverTiming === "cold" && this.#story.activation !== undefined);
    return isTold ? this.#story.serverTiming() : "";
  }

  /** The answer cannot be passed on. */
  #abandon(error: unknown): void {
    this.#cancel?.();
    this.#fail(error instanceof GatewayFault ? error : new GatewayFault("ANSWER_INVALID", describeError(error)));
  }

  #fail(fault: GatewayFault, inDoubt = false): void {
    const { faults } = this.#context;
    const { peer, id, expectsContinue } = this.#request;
    const { record } = this.#request;
    if (record !== undefined) record.code = fault.code;
    this.#finish(fault.code);
    this.#tell(fault);
    if (faultStatus(fault.code) >= 500) {
      faults.add(fault.code, { id, revision: this.#dispatcher.target.key }, describeError(fault));
    }
    const { isHeadSent, endsWithStatus } = this.#answer;
    const text = clientText(fault);
    if (isHeadSent) return breakOff(peer, { code: fault.code, requestId: id, text, endsWithStatus });
    // A client that has not been told to go on may send the body or not: the connection has no clear next request.
    const unclear = expectsContinue && !this.#body.begun;
    answerFault(peer, {
      code: fault.code,
      requestId: id,
      text,
      headers: fault.headers,
      retryAfterSeconds: holdCodes.has(fault.code) ? this.#dispatcher.target.hold.retryAfterSeconds : undefined,
      inDoubt: inDoubt || unclear,
    });
    if (!inDoubt) peer.discardRest();
  }

  /** Leaves the story of this request for whoever asks why it failed. */
  #tell(fault: GatewayFault): void {
    const { clock, stories } = this.#context;
    stories.add(this.#story.tell(this.#asked(), { fault, answerBegun: this.#answer.isHeadSent, clock }));
  }

  #asked(): Asked {
    const { id, authority, askedAuthority: host = authority, target, client, peer } = this.#request;
    const { namespace, name: revision } = this.#dispatcher.target;
    return { id, namespace, revision, method: peer.method, host, target, client: client.address };
  }

  #clientGone(): void {
    if (this.#done) return;
    this.#cancel?.();
    if (this.#slot !== undefined) this.#context.abandonments.add(this.#slot.target, this.#request.id);
    this.#finish("CANCELLED");
  }

  #finish(outcome: GatewayFaultCode | "answered"): void {
    this.#done = true;
    this.#deadline.cancel();
    this.#body.detach();
    this.#body.forgetSent();
    this.#release(outcome);
    const nowMs = this.#context.clock.nowMs();
    const hasFailed = outcome === "answered" ? (this.#answer.head?.status ?? 0) >= 500 : isFailure(outcome);
    this.#context.meter.left(this.#load, nowMs, { latencyMs: nowMs - this.#story.arrivedMs, hasFailed });
    this.#over();
  }

  #release(outcome: GatewayFaultCode | "answered"): void {
    const slot = this.#slot;
    if (slot === undefined) return this.#dispatcher.leave(this);
    this.#slot = undefined;
    this.#cancel = undefined;
    if (outcome !== "answered") this.#story.failedAt(slot.target, outcome, this.#context.clock.nowMs());
    const health = unreachableCodes.has(outcome) ? "unreachable" : outcome === "answered" ? "answered" : "other";
    this.#dispatcher.release(slot, health);
  }

  #unread(): void {
    if (!this.#done) this.#deadline.arm(this.#context.clock.nowMs());
  }

  /** The client owes some of the body from now on: its silence has a limit. */
  #watchBody(): void {
    if (this.#upstreamRequest.hasBody && !this.#done) this.#deadline.arm(this.#context.clock.nowMs());
  }

  expired(code: GatewayFaultCode, nowMs: number): void {
    if (code === "ANSWER_TIMEOUT" && this.#deadline.isAttemptOver(nowMs) && this.#repeat()) {
      return this.#deadline.arm(nowMs);
    }
    this.#cancel?.();
    const afterMs = Math.round(nowMs - this.#story.arrivedMs);
    this.#fail(new GatewayFault(code, `a limit on time was reached after ${afterMs} ms`));
  }
}

// It waited, and had no pod: its revision says when to come back.
const holdCodes: ReadonlySet<string> = new Set<GatewayFaultCode>(["QUEUE_FULL", "QUEUE_TIMEOUT", "START_TIMEOUT"]);

// The pod, or the way to it, is not well.
const unreachableCodes: ReadonlySet<string> = new Set<GatewayFaultCode>([
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "REFUSED",
  "PROTOCOL",
]);

/** What a client does wrong, or that it leaves, says nothing about the revision. */
const isFailure = (code: GatewayFaultCode): boolean => code !== "CANCELLED" && faultStatus(code) >= 500;

const flushHead = (exchange: Exchange): void => exchange.flush();
