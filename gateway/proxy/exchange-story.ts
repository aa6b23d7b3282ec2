import { type Clock, describeError, rfc3339Micro } from "@shallop/sdk/internal";
import type { RequestAttempt, RequestStory, ResponseHead } from "@shallop/sdk/wire";
import type { ActivationPhases } from "../activate/dispatcher.ts";
import type { PodTarget } from "../route/target.ts";
import { clientText, faultStatus, type GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import { formatServerTiming } from "./server-timing.ts";

/** Who asked for what. */
export interface Asked {
  readonly id: string;
  readonly namespace: string;
  readonly revision: string;
  readonly method: string;
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly client: string;
}

/**
 * What happened to a request on its way, and when: for those who ask later, and for limits on time. Milliseconds of the
 * monotonic clock.
 */
export class ExchangeStory {
  readonly arrivedMs: number;
  /** There was no pod free for it when it asked. */
  isHeld = false;
  /** When it first got a pod. */
  grantedMs: number | undefined;
  /** When the attempt under way began. */
  sentMs: number | undefined;
  /** When the answer began, and when the last of it came. */
  answeredMs = 0;
  lastAnswerMs = 0;
  /** The pod of the attempt under way, or of the last one. */
  pod: PodTarget | undefined;
  podPhasesMs: ResponseHead["phasesMs"];
  /** It waited for this activation. */
  activation: ActivationPhases | undefined;
  /** Pods that it was given to in vain; undefined: none yet. */
  #attempts: RequestAttempt[] | undefined;

  constructor(arrivedMs: number) {
    this.arrivedMs = arrivedMs;
  }

  /** Given to a pod. */
  granted(pod: PodTarget, nowMs: number, lastActivation: ActivationPhases | undefined): void {
    this.pod = pod;
    this.grantedMs ??= nowMs;
    this.sentMs = nowMs;
    this.#noteActivation(lastActivation);
  }

  /** `lastActivation`: a pod may be heard of before the node has answered the call that brought it up. */
  answered(nowMs: number, phasesMs: ResponseHead["phasesMs"], lastActivation: ActivationPhases | undefined): void {
    this.#noteActivation(lastActivation);
    this.podPhasesMs = phasesMs;
    this.answeredMs = nowMs;
    this.lastAnswerMs = nowMs;
  }

  /** The attempt under way has failed. */
  failedAt(pod: PodTarget, outcome: GatewayFaultCode, nowMs: number): void {
    this.#attempts ??= [];
    const fromMs = (this.sentMs ?? 0) - this.arrivedMs;
    this.#attempts.push({ pod: pod.name, node: pod.node, fromMs, toMs: nowMs - this.arrivedMs, outcome });
  }

  #noteActivation(last: ActivationPhases | undefined): void {
    if (last !== undefined && last.atMs >= this.arrivedMs) this.activation = last;
  }

  get attempts(): readonly RequestAttempt[] {
    return this.#attempts ?? [];
  }

  /** Value of `Server-Timing`. */
  serverTiming(): string {
    const grantedMs = this.grantedMs ?? this.arrivedMs;
    const { activation } = this;
    return formatServerTiming({
      queue: grantedMs - this.arrivedMs,
      ...(activation === undefined
        ? {}
        : { activate: activation.activateMs, prepare: activation.prepareMs, start: activation.startMs }),
      ...handlingPhases(this.answeredMs - grantedMs, this.podPhasesMs),
    });
  }

  /** All of it, for whoever asks why it failed. */
  tell(
    asked: Asked,
    {
      fault,
      answerBegun,
      clock,
    }: { readonly fault: GatewayFault; readonly answerBegun: boolean; readonly clock: Clock },
  ): RequestStory {
    const { code } = fault;
    return this.#whole(asked, { code, status: faultStatus(code), reason: describeError(fault), answerBegun }, clock);
  }

  /** All of it, where it is the function itself that has answered with an error. */
  tellAnswered(asked: Asked, status: number, clock: Clock): RequestStory {
    const ending = {
      code: "ANSWERED",
      status,
      reason: "this is what the function itself answered",
      answerBegun: false,
    };
    const story = this.#whole(asked, ending, clock);
    const { pod } = this;
    if (pod === undefined) return story;
    const fromMs = (this.sentMs ?? 0) - this.arrivedMs;
    const last = { pod: pod.name, node: pod.node, fromMs, toMs: story.durationMs, outcome: ending.code };
    return { ...story, attempts: [...story.attempts, last] };
  }

  #whole(
    { target, ...asked }: Asked,
    ending: Pick<RequestStory, "code" | "status" | "reason" | "answerBegun">,
    clock: Clock,
  ): RequestStory {
    // What follows it may be a secret.
    const [path = ""] = target.split("?", 1);
    const nowMs = clock.nowMs();
    return {
      ...asked,
      ...ending,
      path,
      at: rfc3339Micro(clock.wallMs() - (nowMs - this.arrivedMs)),
      queueMs: (this.grantedMs ?? nowMs) - this.arrivedMs,
      durationMs: nowMs - this.arrivedMs,
      attempts: this.attempts,
    };
  }
}

/** Of a request that came no further than the gateway: it had no revision, or its rule refused it. */
export function refusalStory(
  { target, ...asked }: Asked,
  { fault, rule, clock }: { readonly fault: GatewayFault; readonly rule: string | undefined; readonly clock: Clock },
): RequestStory {
  const [path = ""] = target.split("?", 1);
  const reason = fault.message === "" ? clientText(fault) : describeError(fault);
  return {
    ...asked,
    path,
    at: rfc3339Micro(clock.wallMs()),
    code: fault.code,
    status: faultStatus(fault.code),
    reason: rule === undefined ? reason : `${reason} (${rule})`,
    queueMs: 0,
    durationMs: 0,
    answerBegun: false,
    attempts: [],
  };
}

/** A pod that tells how long its parts took: what is left went by on the way to it and back. */
function handlingPhases(totalMs: number, podMs: ResponseHead["phasesMs"]): Readonly<Record<string, number>> {
  if (podMs === undefined) return { handle: totalMs };
  const inPodMs = Object.values(podMs).reduce((sum, durationMs) => sum + durationMs, 0);
  return { forward: Math.max(0, totalMs - inPodMs), ...podMs };
}
