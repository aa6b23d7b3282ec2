import { type Clock, describeError, rfc3339Micro, type Timer } from "@shallop/sdk/internal";
import type { RequestAttempt, ResponseHead } from "@shallop/sdk/wire";
import type { Dispatcher, Waiter } from "../activate/dispatcher.ts";
import type { PodSlot } from "../balance/pod-set.ts";
import type { GatewayLimits } from "../limits.ts";
import { affinityOf } from "../route/affinity.ts";
import type { PodTarget } from "../route/target.ts";
import type { LoadEntry, LoadMeter } from "../stats/load.ts";
import type { Stories } from "../stats/stories.ts";
import type { Abandonments } from "./abandonments.ts";
import { answerFault } from "./answer-fault.ts";
import { ClientBody } from "./client-body.ts";
import type { ClientEnd } from "./client-end.ts";
import type { FaultLog } from "./fault-log.ts";
import { clientText, faultStatus, GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import { addForwarded, type ClientAddress, type ClientHeaders, isIdempotent } from "./request-head.ts";
import { type AnswerHead, readAnswerHead, readInterimHead } from "./response-head.ts";
import { mayRetry, type RetryBudget } from "./retry.ts";
import { formatServerTiming, type ServerTimingMode } from "./server-timing.ts";
import { readTrailers } from "./trailers.ts";
import type { CancelUpstream, UpstreamHandlers, UpstreamRequest, UpstreamStream } from "./upstream.ts";
import type { Upstreams } from "./upstreams.ts";

export interface ExchangeContext {
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  readonly meter: LoadMeter;
  readonly upstreams: Upstreams;
  readonly budget: RetryBudget;
  readonly faults: FaultLog;
  readonly stories: Stories;
  readonly abandonments: Abandonments;
  readonly serverTiming: ServerTimingMode;
}

export interface ClientRequest {
  readonly peer: ClientEnd;
  readonly id: string;
  readonly client: ClientAddress;
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** Path and query. */
  readonly target: string;
  readonly headers: ClientHeaders;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** What the rule says of it beside where it goes. */
  readonly rules?: ExchangeRules;
}

/** What a routing rule says of the life of a request. */
export interface ExchangeRules {
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

// The pod ends a guest that is too slow itself, and says so; the gateway is the second to notice.
const timeoutGraceMs = 250;
// What took a pod may be taking its node's other pods, too. By then the gateway has heard of those.
const lostPauseMs = 50;
// A timer of Node may fire a millisecond early, in the pod as here.
const timerSlackMs = 2;

/** The life of one request: waits for a pod, is sent to it, perhaps again to another, and is answered. */
export class Exchange implements Waiter, UpstreamHandlers {
  readonly #context: ExchangeContext;
  readonly affinity: string | undefined;
  readonly #request: ClientRequest;
  readonly #dispatcher: Dispatcher;
  readonly #over: () => void;
  readonly #body: ClientBody;
  readonly #arrivedMs: number;
  readonly #load: LoadEntry;
  readonly #upstreamRequest: UpstreamRequest;
  #slot: PodSlot | undefined;
  #cancel: CancelUpstream | undefined;
  #stream: UpstreamStream | undefined;
  #losses = 0;
  /** Pods that it was given to in vain; undefined: none yet. */
  #attempts: RequestAttempt[] | undefined;
  /** Answers that were asked for again. */
  #repeats = 0;
  #podsLost = 0;
  #grantedMs: number | undefined;
  /** When the attempt under way began. */
  #sentMs: number | undefined;
  #answer: AnswerHead | undefined;
  #podPhasesMs: ResponseHead["phasesMs"];
  #answeredMs = 0;
  /** The head is on its way to the client: a fault can only cut the answer short now. */
  #headSent = false;
  /** The first piece of the answer, kept for a moment: if it is all, the answer's length is known. */
  #held: Buffer | undefined;
  #receivedBytes = 0;
  #lastAnswerMs = 0;
  /** Bytes that wait for the client to read. */
  #owed = 0;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
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
    this.#arrivedMs = context.clock.nowMs();
    this.#load = context.meter.arrived(dispatcher.target.key, this.#arrivedMs);
    context.budget.earn();
    this.#body = new ClientBody(request, request.rules?.bodyBytesMax ?? context.limits.bodyBytesMax, context.clock);
    this.#upstreamRequest = this.#makeRequest();
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
    this.#grantedMs ??= nowMs;
    this.#sentMs = nowMs;
    this.#arm(nowMs);
    const upstream = this.#context.upstreams.of(slot.target, this.#dispatcher.target);
    if (this.#upstreamRequest.isUpgrade && !upstream.upgrades) {
      return this.#fail(new GatewayFault("NO_WEBSOCKET", "an upgrade was asked of a pod that has none"));
    }
    const cancel = upstream.open(this.#upstreamRequest, this);
    if (this.#slot === slot) this.#cancel = cancel;
    else cancel();
  }

  refused(fault: GatewayFault): void {
    if (!this.#done) this.#fail(fault);
  }

  opened(stream: UpstreamStream): void {
    this.#stream = stream;
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
    if (!this.#done && this.#answer === undefined) this.#request.peer.inform(status, readInterimHead(headers));
  }

  head(head: ResponseHead): void {
    this.#judge(head.status);
    if (this.#request.rules?.retry?.codes.has(head.status) === true && this.#repeat()) return;
    if (head.status === 101 && !this.#upstreamRequest.isUpgrade) {
      return this.#abandon(new GatewayFault("ANSWER_INVALID", "the pod switched protocols without being asked"));
    }
    try {
      this.#answer = readAnswerHead(head.status, head.headers, this.#request.peer.method);
    } catch (error) {
      return this.#abandon(error);
    }
    this.#podPhasesMs = head.phasesMs;
    this.#answeredMs = this.#context.clock.nowMs();
    this.#lastAnswerMs = this.#answeredMs;
    this.#body.forgetSent();
    if (this.#dispatcher.target.idleTimeoutMs > 0 || head.status === 101) this.#arm(this.#answeredMs);
    // What else of the answer came in the same read is known by then.
    process.nextTick(flushHead, this);
  }

  data(chunk: Buffer): void {
    const answer = this.#answer;
    if (this.#done || answer === undefined) return;
    if (!answer.hasBody) return this.#stream?.consumed(chunk.length);
    this.#receivedBytes += chunk.length;
    if (answer.contentLength !== undefined && this.#receivedBytes > answer.contentLength) {
      return this.#abandon(new GatewayFault("ANSWER_INVALID", "the guest sent more than the length that it gave"));
    }
    if (this.#dispatcher.target.idleTimeoutMs > 0) this.#lastAnswerMs = this.#context.clock.nowMs();
    if (!this.#headSent && this.#held === undefined) {
      this.#held = chunk;
      return;
    }
    this.flush();
    if (!this.#done) this.#pass(chunk);
  }

  end(rawTrailers: readonly string[] = []): void {
    const answer = this.#answer;
    if (this.#done || answer === undefined) return;
    if (answer.contentLength !== undefined && this.#receivedBytes < answer.contentLength) {
      return this.#abandon(new GatewayFault("ANSWER_INVALID", "the guest sent less than the length that it gave"));
    }
    const { peer } = this.#request;
    const trailers = answer.hasBody ? readTrailers(rawTrailers) : [];
    if (!this.#headSent) {
      // A length leaves no room for trailers in HTTP/1.
      const isUnframed = answer.status === 101 || trailers.length > 0;
      if (answer.hasBody && answer.contentLength === undefined && !isUnframed)
        answer.headers.push("content-length", String(this.#held?.length ?? 0));
      if (!this.#sendHead(answer, this.#held === undefined && trailers.length === 0)) return;
    }
    peer.end(this.#held, trailers);
    this.#held = undefined;
    this.#finish("answered");
    peer.discardRest();
  }

  failed(fault: GatewayFault): void {
    if (this.#done) return;
    if (fault.code === "CONNECTION_LOST" && this.#isTooLate()) {
      // A guest that does not give its thread back is ended with it, and the connection is all that tells. The request
      // did that: elsewhere it would do it again.
      return this.#fail(
        new GatewayFault("GUEST_TIMEOUT", "the pod ended the guest at its time limit", { cause: fault }),
      );
    }
    // It has waited there for all of its time: another pod could only be told that it is too late.
    if (fault.code === "REFUSED" && this.#isTooLate()) return this.#fail(fault);
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
      answered: this.#answer !== undefined,
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

  /** Sends the head, and what is held of the body; unless that has been done, or the answer is over. */
  flush(): void {
    const answer = this.#answer;
    if (this.#done || this.#headSent || answer === undefined || !this.#sendHead(answer)) return;
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) this.#request.peer.flushHead();
    else this.#pass(held);
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
    if (slot !== undefined) this.granted(slot);
    else if (!this.#done) this.#arm(this.#context.clock.nowMs());
  }

  #makeRequest(): UpstreamRequest {
    const { headers, peer, authority, client, id, target, scheme } = this.#request;
    addForwarded(headers.headers, client, { authority, requestId: id, scheme });
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

  #pass(chunk: Buffer): void {
    const { peer } = this.#request;
    if (peer.write(chunk)) return this.#stream?.consumed(chunk.length);
    if (this.#owed === 0) peer.onceDrained(() => this.#drained());
    this.#owed += chunk.length;
  }

  #drained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    this.#stream?.consumed(owed);
  }

  /** @returns false when Node would not send such a head. */
  #sendHead(answer: AnswerHead, isAll = false): boolean {
    const { peer, id } = this.#request;
    const timing = this.#serverTiming();
    if (timing !== "") answer.headers.push("server-timing", timing);
    answer.headers.push("x-request-id", id);
    try {
      peer.writeHead(answer.status, answer.headers, isAll);
    } catch (error) {
      this.#abandon(new GatewayFault("ANSWER_INVALID", describeError(error), { cause: error }));
      return false;
    }
    this.#headSent = true;
    return true;
  }

  #serverTiming(): string {
    const { serverTiming } = this.#context;
    const activation = this.#dispatcher.lastActivation;
    const cold = activation !== undefined && activation.atMs >= this.#arrivedMs;
    if (serverTiming !== "always" && !this.#request.headers.timing && !(cold && serverTiming === "cold")) return "";
    const grantedMs = this.#grantedMs ?? this.#arrivedMs;
    return formatServerTiming({
      queue: grantedMs - this.#arrivedMs,
      ...(cold ? { activate: activation.activateMs, prepare: activation.prepareMs, start: activation.startMs } : {}),
      ...handlingPhases(this.#answeredMs - grantedMs, this.#podPhasesMs),
    });
  }

  /** The answer cannot be passed on. */
  #abandon(error: unknown): void {
    this.#cancel?.();
    this.#fail(error instanceof GatewayFault ? error : new GatewayFault("ANSWER_INVALID", describeError(error)));
  }

  #fail(fault: GatewayFault, inDoubt = false): void {
    const { faults } = this.#context;
    const { peer, id, expectsContinue } = this.#request;
    this.#finish(fault.code);
    this.#tell(fault);
    if (faultStatus(fault.code) >= 500) {
      faults.add(fault.code, { id, revision: this.#dispatcher.target.key }, describeError(fault));
    }
    if (this.#headSent) return peer.cutShort();
    // A client that has not been told to go on may send the body or not: the connection has no clear next request.
    const unclear = expectsContinue && !this.#body.begun;
    answerFault(peer, {
      code: fault.code,
      requestId: id,
      text: clientText(fault),
      headers: fault.headers,
      retryAfterSeconds: holdCodes.has(fault.code) ? this.#dispatcher.target.hold.retryAfterSeconds : undefined,
      inDoubt: inDoubt || unclear,
    });
    if (!inDoubt) peer.discardRest();
  }

  /** Leaves the story of this request for whoever asks why it failed. */
  #tell(fault: GatewayFault): void {
    const { clock, stories } = this.#context;
    const { id, authority, target, client, peer } = this.#request;
    const { namespace, name } = this.#dispatcher.target;
    // What follows it may be a secret.
    const [path = ""] = target.split("?", 1);
    const nowMs = clock.nowMs();
    stories.add({
      id,
      at: rfc3339Micro(clock.wallMs() - (nowMs - this.#arrivedMs)),
      ...{ namespace, revision: name, method: peer.method, host: authority, path, client: client.address },
      code: fault.code,
      status: faultStatus(fault.code),
      reason: describeError(fault),
      queueMs: (this.#grantedMs ?? nowMs) - this.#arrivedMs,
      durationMs: nowMs - this.#arrivedMs,
      answerBegun: this.#headSent,
      attempts: this.#attempts ?? [],
    });
  }

  #clientGone(): void {
    if (this.#done) return;
    this.#cancel?.();
    if (this.#slot !== undefined) this.#context.abandonments.add(this.#slot.target, this.#request.id);
    this.#finish("CANCELLED");
  }

  #finish(outcome: GatewayFaultCode | "answered"): void {
    this.#done = true;
    this.#timer?.cancel();
    this.#body.detach();
    this.#release(outcome);
    const nowMs = this.#context.clock.nowMs();
    const hasFailed = outcome === "answered" ? (this.#answer?.status ?? 0) >= 500 : isFailure(outcome);
    this.#context.meter.left(this.#load, nowMs, { latencyMs: nowMs - this.#arrivedMs, hasFailed });
    this.#over();
  }

  #release(outcome: GatewayFaultCode | "answered"): void {
    const slot = this.#slot;
    if (slot === undefined) return this.#dispatcher.leave(this);
    this.#slot = undefined;
    this.#cancel = undefined;
    if (outcome !== "answered") this.#noteAttempt(slot, outcome);
    const health = unreachableCodes.has(outcome) ? "unreachable" : outcome === "answered" ? "answered" : "other";
    this.#dispatcher.release(slot, health);
  }

  #noteAttempt({ target }: PodSlot, outcome: GatewayFaultCode): void {
    this.#attempts ??= [];
    const toMs = this.#context.clock.nowMs() - this.#arrivedMs;
    const fromMs = (this.#sentMs ?? 0) - this.#arrivedMs;
    this.#attempts.push({ pod: target.name, node: target.node, fromMs, toMs, outcome });
  }

  /** The pod has had all the time that the revision gives it. Its clock began a moment after ours. */
  #isTooLate(): boolean {
    if (this.#sentMs === undefined || this.#answer !== undefined) return false;
    return this.#context.clock.nowMs() - this.#sentMs >= this.#dispatcher.target.timeoutMs - timerSlackMs;
  }

  /** The client owes some of the body from now on: its silence has a limit. */
  #watchBody(): void {
    if (this.#upstreamRequest.hasBody && !this.#done) this.#arm(this.#context.clock.nowMs());
  }

  /** Sees to it that `#check` is called when the next limit on time is reached, or before. */
  #arm(nowMs: number): void {
    const dueMs = this.#nextLimitMs().atMs;
    if (dueMs === Number.POSITIVE_INFINITY) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timerAtMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = dueMs;
    this.#timer = this.#context.clock.after(Math.max(0, dueMs - nowMs), () => this.#check());
  }

  #check(): void {
    this.#timer = undefined;
    const nowMs = this.#context.clock.nowMs();
    const { atMs, code } = this.#nextLimitMs();
    // A timer of Node may fire a millisecond early.
    if (atMs > nowMs + 1) return this.#arm(nowMs);
    if (code === "ANSWER_TIMEOUT" && this.#isAttemptOver(nowMs) && this.#repeat()) return this.#arm(nowMs);
    this.#cancel?.();
    this.#fail(new GatewayFault(code, `a limit on time was reached after ${Math.round(nowMs - this.#arrivedMs)} ms`));
  }

  /** This attempt has had its time, and the request has some left. */
  #isAttemptOver(nowMs: number): boolean {
    const wholeMs = this.#arrivedMs + (this.#request.rules?.timeoutMs ?? Number.POSITIVE_INFINITY);
    return this.#answer === undefined && nowMs < wholeMs && nowMs >= this.#attemptUntilMs() - 1;
  }

  #attemptUntilMs(): number {
    return (this.#sentMs ?? 0) + (this.#request.rules?.attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
  }

  #nextLimitMs(): { readonly atMs: number; readonly code: GatewayFaultCode } {
    const limit = this.#limitOfPod();
    const { rules } = this.#request;
    if (rules === undefined || this.#answer?.status === 101) return limit;
    const wholeMs = this.#arrivedMs + (rules.timeoutMs ?? Number.POSITIVE_INFINITY);
    const attemptMs =
      this.#slot === undefined || this.#answer !== undefined ? Number.POSITIVE_INFINITY : this.#attemptUntilMs();
    const atMs = Math.min(wholeMs, attemptMs);
    return atMs < limit.atMs ? { atMs, code: "ANSWER_TIMEOUT" } : limit;
  }

  #limitOfPod(): { readonly atMs: number; readonly code: GatewayFaultCode } {
    const { limits } = this.#context;
    const { timeoutMs, responseStartTimeoutMs, idleTimeoutMs } = this.#dispatcher.target;
    if (this.#slot === undefined) {
      const { waitMs = limits.activationTimeoutMs } = this.#dispatcher.target.hold;
      const atMs = this.#arrivedMs + Math.min(timeoutMs, limits.activationTimeoutMs, waitMs);
      return { atMs, code: this.#dispatcher.usablePods > 0 ? "QUEUE_TIMEOUT" : "START_TIMEOUT" };
    }
    if (this.#answer?.status === 101) return { atMs: this.#silentUntilMs(idleTimeoutMs), code: "ANSWER_TIMEOUT" };
    const grantedMs = this.#grantedMs ?? this.#arrivedMs;
    const answering = this.#answer !== undefined;
    let atMs = grantedMs + (answering ? timeoutMs : Math.min(timeoutMs, responseStartTimeoutMs)) + timeoutGraceMs;
    if (answering && idleTimeoutMs > 0) atMs = Math.min(atMs, this.#lastAnswerMs + idleTimeoutMs);
    const bodyMs = this.#body.lastReadMs;
    if (bodyMs !== undefined && bodyMs + limits.bodyIdleTimeoutMs < atMs) {
      return { atMs: bodyMs + limits.bodyIdleTimeoutMs, code: "REQUEST_TIMEOUT" };
    }
    return { atMs, code: "ANSWER_TIMEOUT" };
  }

  /** A WebSocket may last as long as it likes, and be silent on both sides for as long as the revision says. */
  #silentUntilMs(idleTimeoutMs: number): number {
    if (idleTimeoutMs === 0) return Number.POSITIVE_INFINITY;
    return Math.max(this.#lastAnswerMs, this.#body.lastSentMs) + idleTimeoutMs;
  }
}

/** A pod that tells how long its parts took: what is left went by on the way to it and back. */
function handlingPhases(totalMs: number, podMs: ResponseHead["phasesMs"]): Readonly<Record<string, number>> {
  if (podMs === undefined) return { handle: totalMs };
  const inPodMs = Object.values(podMs).reduce((sum, durationMs) => sum + durationMs, 0);
  return { forward: Math.max(0, totalMs - inPodMs), ...podMs };
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
