import { expect, test } from "vitest";
import {
  CallCancelled,
  cancellable,
  cancelOf,
  ErrorContext,
  type FutureReader,
  type GuestCall,
  type Items,
  type StreamReader,
} from "./stream.ts";

test("a promise can be called off when the host says how", () => {
  let cancelled = 0;
  const promise = cancellable(Promise.resolve(1), () => cancelled++);
  cancelOf(promise)?.();
  expect(cancelled).toBe(1);
  expect(cancelOf(Promise.resolve(1))).toBeUndefined();
});

test("an error context has its message, a cancelled call its name", () => {
  expect(new ErrorContext("no route").debugMessage).toBe("no route");
  expect(new CallCancelled("stopped").name).toBe("CallCancelled");
});

test("an array is a stream that has all of its items", () => {
  const items = [1, 2, 3];
  const stream: StreamReader<number> = {
    read: (countMax): Items<number> | undefined => (items.length === 0 ? undefined : items.splice(0, countMax)),
    drop: () => void (items.length = 0),
  };
  const future: FutureReader<number> = { read: () => 4, drop: () => undefined };
  expect([stream.read(2), stream.read(2), stream.read(2), future.read()]).toEqual([[1, 2], [3], undefined, 4]);
});

test("a call that was ended says so by its class", async () => {
  const returned = Promise.reject(new CallCancelled("the guest ended the call"));
  const call: GuestCall = { returned, ended: Promise.resolve(), cancel: () => undefined };
  await expect(call.returned).rejects.toBeInstanceOf(CallCancelled);
});
