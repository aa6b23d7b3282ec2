import type { HostMessage } from "./control-protocol.ts";

// What is kept while no agent listens: a minute of a chatty namespace. Older log lines make room for newer ones.
const messagesMax = 2000;
const charsMax = 2 * 1024 * 1024;

/** Messages for an agent that is not there at the moment. Lines that had to go are counted, and said in their place. */
export class MessageBacklog {
  #messages: { readonly message: HostMessage; readonly chars: number }[] = [];
  #chars = 0;
  readonly #lostByUid = new Map<string, number>();

  add(message: HostMessage): void {
    const chars = charsOf(message);
    this.#messages.push({ message, chars });
    this.#chars += chars;
    while (this.#messages.length > messagesMax || this.#chars > charsMax) {
      // What is no log line says that a pod ended: kept in any case, there are few.
      const index = this.#messages.findIndex((kept) => kept.message.type === "logged");
      const [lost] = index === -1 ? [] : this.#messages.splice(index, 1);
      if (lost === undefined || lost.message.type !== "logged") return;
      this.#chars -= lost.chars;
      const { uid, lines } = lost.message;
      this.#lostByUid.set(uid, (this.#lostByUid.get(uid) ?? 0) + lines.length);
    }
  }

  /** Everything, in its order, and nothing is kept. */
  take(): readonly HostMessage[] {
    if (this.#messages.length === 0) return [];
    const messages = this.#messages.map(({ message }) => message);
    const lost = [...this.#lostByUid].map(([uid, count]) => lossMessage(uid, count, messages));
    this.#messages = [];
    this.#chars = 0;
    this.#lostByUid.clear();
    return [...lost, ...messages];
  }
}

function charsOf(message: HostMessage): number {
  if (message.type !== "logged") return 200;
  return message.lines.reduce((sum, line) => sum + line.text.length + 100, 0);
}

function lossMessage(uid: string, count: number, messages: readonly HostMessage[]): HostMessage {
  const first = messages.find((message) => message.type === "logged" && message.uid === uid);
  const wallMs = first?.type === "logged" ? (first.lines[0]?.wallMs ?? 0) : 0;
  const text = `shallop: ${count} lines lost here: no node agent was there to take them`;
  return { type: "logged", uid, lines: [{ wallMs, stream: "stderr", text, partial: false }] };
}
