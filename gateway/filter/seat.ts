import type { SessionRule } from "../route/policy.ts";
import { stickyToken } from "../route/backends.ts";
import type { PodTarget } from "../route/target.ts";
import { ClientDecorator } from "./client-decorator.ts";
import { sessionHeaders } from "./session.ts";
import type { AnswerRest, ClientEnd } from "../proxy/client-end.ts";

/** A session's place: the pod that it had before, while that lives, or the one that it got instead. */
export class Seat {
  #pod: string | undefined;

  /** @param pod what the client says of it, as `stickyToken` has its name */
  constructor(pod: string | undefined) {
    this.#pod = pod;
  }

  /** As `podToken` has it; undefined: any pod will do. */
  get pod(): string | undefined {
    return this.#pod;
  }

  took({ name }: PodTarget): void {
    this.#pod = stickyToken(name);
  }
}

interface SeatedSession {
  readonly rule: SessionRule;
  readonly seat: Seat;
  /** Key of the revision, or of a Service's pods. */
  readonly target: string;
  /** When it began; seconds of the wall clock. */
  readonly begunSeconds: number;
  readonly scheme: "http" | "https";
  readonly wallMs: number;
}

/** Tells the client, with the head of its answer, how it comes back to its revision and pod. */
export class SeatedAnswer extends ClientDecorator {
  readonly #session: SeatedSession;

  constructor(inner: ClientEnd, session: SeatedSession) {
    super(inner);
    this.#session = session;
  }

  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    const { rule, seat, target, begunSeconds } = this.#session;
    const token = { target, pod: seat.pod, begunSeconds };
    super.writeHead(status, [...headers, ...sessionHeaders(rule, token, this.#session)], rest);
  }
}
