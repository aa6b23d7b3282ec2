import type { Clock } from "@shallop/sdk/internal";
import { ClientDecorator } from "../filter/client-decorator.ts";
import type { AnswerRest, ClientBodyHandlers, ClientEnd, DetachedSocket } from "../proxy/client-end.ts";
import type { RequestRecord, RequestWatcher } from "../stats/request-record.ts";

/** Notes what goes through a client's end, and tells the watchers once it is over. */
export class WatchedClient extends ClientDecorator {
  readonly #record: RequestRecord;
  #isWhole = false;

  constructor(
    inner: ClientEnd,
    record: RequestRecord,
    { watchers, clock }: { readonly watchers: readonly RequestWatcher[]; readonly clock: Clock },
  ) {
    super(inner);
    this.#record = record;
    inner.onceClosed(() => {
      record.endMs = clock.nowMs();
      if (!this.#isWhole) record.code ??= "CANCELLED";
      for (const watcher of watchers) watcher.ended(record);
    });
  }

  override receive({ data, end }: ClientBodyHandlers): void {
    super.receive({
      data: (chunk) => {
        this.#record.bytesReceived += chunk.length;
        data(chunk);
      },
      end,
    });
  }

  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    super.writeHead(status, headers, rest);
    this.#record.status = status;
  }

  override write(chunk: Buffer): boolean {
    this.#record.bytesSent += chunk.length;
    return super.write(chunk);
  }

  /** What is said from here on is the business of who frames it. */
  override detach(): DetachedSocket | undefined {
    this.#isWhole = true;
    return super.detach();
  }

  override end(rest: Buffer | string | undefined, trailers?: readonly string[]): void {
    if (rest !== undefined) this.#record.bytesSent += typeof rest === "string" ? Buffer.byteLength(rest) : rest.length;
    this.#isWhole = true;
    super.end(rest, trailers);
  }
}
