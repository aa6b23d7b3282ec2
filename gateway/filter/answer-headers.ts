import { changeHeaders, type HeaderChanges } from "../route/filters.ts";
import type { AnswerRest, ClientEnd } from "../proxy/client-end.ts";
import { ClientDecorator } from "./client-decorator.ts";

/** Changes the head of the answer, whoever gives it: the pod, or the gateway for it. */
export class AnswerHeaders extends ClientDecorator {
  readonly #changes: readonly (HeaderChanges | undefined)[];

  constructor(inner: ClientEnd, changes: readonly (HeaderChanges | undefined)[]) {
    super(inner);
    this.#changes = changes;
  }

  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    const changed = this.#changes.reduce((list, changes) => changeHeaders(list, changes), [...headers]);
    super.writeHead(status, changed, rest);
  }
}
