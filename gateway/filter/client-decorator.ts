import type { AnswerRest, ClientBodyHandlers, ClientEnd, DetachedSocket } from "../proxy/client-end.ts";

/** A client's end that is the one below it, for those who change a part of it. */
export class ClientDecorator implements ClientEnd {
  protected readonly inner: ClientEnd;

  constructor(inner: ClientEnd) {
    this.inner = inner;
  }

  get method(): string {
    return this.inner.method;
  }

  get speaksGrpc(): boolean {
    return this.inner.speaksGrpc === true;
  }

  get complete(): boolean {
    return this.inner.complete;
  }

  get isPaused(): boolean {
    return this.inner.isPaused;
  }

  receive(handlers: ClientBodyHandlers): void {
    this.inner.receive(handlers);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  inform(status: number, headers: readonly string[]): void {
    this.inner.inform(status, headers);
  }

  writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    this.inner.writeHead(status, headers, rest);
  }

  flushHead(): void {
    this.inner.flushHead();
  }

  write(chunk: Buffer): boolean {
    return this.inner.write(chunk);
  }

  onceDrained(listener: () => void): void {
    this.inner.onceDrained(listener);
  }

  end(rest: Buffer | string | undefined, trailers?: readonly string[]): void {
    this.inner.end(rest, trailers);
  }

  onceClosed(listener: () => void): void {
    this.inner.onceClosed(listener);
  }

  discardRest(): void {
    this.inner.discardRest();
  }

  closeAfter(): void {
    this.inner.closeAfter();
  }

  framingInDoubt(): void {
    this.inner.framingInDoubt();
  }

  cutShort(): void {
    this.inner.cutShort();
  }

  detach(): DetachedSocket | undefined {
    return this.inner.detach?.();
  }
}
