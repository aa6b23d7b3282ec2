/** What a trap is called in the reference tests, and how our fault says the same. */
const faultByReason: Readonly<Record<string, RegExp>> = {
  "borrow handles still remain at the end of the call": /still holds what it was lent/,
  "cannot block a synchronous task before returning": /not async had to wait|had to wait where it cannot/,
  "cannot drop a subtask which has not yet resolved": /subtask \d+ was dropped before the guest knew of its end/,
  "cannot drop busy stream": /was dropped while it is copied from or to/,
  "cannot drop future write end without first writing a value": /was dropped that nothing has been written to/,
  "cannot drop waitable set with waiters": /waitable set \d+ was dropped while it is waited for/,
  "cannot enter component instance": /a component was entered while a call is in it/,
  "cannot have concurrent operations active on a future/stream": /copied from or to while it is, or after its end/,
  "cannot leave component instance": /called out while it must not/,
  "cannot lift future after previous read succeeded": /given away while it is read, or after its end/,
  "cannot lift future while it's in a waitable set": /given away while it is in a waitable set/,
  "cannot lift stream after being notified that the writable end dropped":
    /given away while it is read, or after its end/,
  "cannot lift stream while it's in a waitable set": /given away while it is in a waitable set/,
  "cannot read from and write to intra-component future": /reads what it writes itself, and that is no number/,
  "cannot read from future after previous read succeeded": /copied from or to while it is, or after its end/,
  "cannot read from stream after being notified that the writable end dropped": /while it is, or after its end/,
  "cannot remove busy stream": /was dropped while it is copied from or to/,
  "cannot remove owned resource while borrowed": /is lent to a call that has not ended/,
  "cannot write to future after previous write succeeded": /copied from or to while it is, or after its end/,
  "cannot write to future after previous write succeeded or readable end dropped": /while it is, or after its end/,
  "cannot write to stream after being notified that the readable end dropped": /while it is, or after its end/,
  "deadlock detected: event loop cannot make further progress": /deadlock|not async had to wait/,
  "incomplete utf-8 byte sequence": /not valid utf-8/,
  "invalid `char` bit pattern": /no Unicode scalar value/,
  "invalid utf-8": /not valid utf-8/,
  "invalid variant discriminant": /a variant has \d+ cases/,
  "list content out-of-bounds": /not in the guest's memory/,
  "realloc return: beyond end of memory": /not in the guest's memory/,
  "realloc return: result not aligned": /not a multiple of/,
  "string content out-of-bounds": /not in the guest's memory/,
  "string pointer/length out of bounds of memory": /not in the guest's memory/,
  "unaligned pointer": /not a multiple of/,
  unreachable: /unreachable/,
  "unsupported callback code": /a callback returned \d+, which says nothing/,
  "waitable cannot be used synchronously while added to a waitable set": /waitable set/,
  "wasm `unreachable` instruction executed": /unreachable/,
};

/** Whether a guest ended for the reason that a script names. */
export function isFor(message: string, named: string): boolean {
  const reason = named.replace(/^wasm trap: /, "");
  if (reason.startsWith("unknown handle index")) return /there is no handle/.test(message);
  if (/^handle index \d+ used with the wrong type/.test(reason)) return /is of another resource/.test(message);
  return faultByReason[reason]?.test(message) ?? false;
}
