/** Who has subscribed to what, within one gateway and one service. */
export class Topics<Member> {
  readonly #membersByTopic = new Map<string, Set<Member>>();

  subscribe(topic: string, member: Member): void {
    const members = this.#membersByTopic.get(topic);
    if (members === undefined) this.#membersByTopic.set(topic, new Set([member]));
    else members.add(member);
  }

  unsubscribe(topic: string, member: Member): void {
    const members = this.#membersByTopic.get(topic);
    if (members?.delete(member) === true && members.size === 0) this.#membersByTopic.delete(topic);
  }

  get isEmpty(): boolean {
    return this.#membersByTopic.size === 0;
  }

  of(topic: string): Iterable<Member> {
    return this.#membersByTopic.get(topic) ?? [];
  }
}
