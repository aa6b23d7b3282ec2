import type { TypeIndex } from "../link/value-type.ts";
import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec } from "./codec.ts";
import type { ItemType } from "./copy-buffer.ts";
import { CopyEnd, ErrorContextItem, type Transferred } from "./copy-end.ts";
import { GuestFuture, HostFuture } from "./futures.ts";
import { GuestStream, type Shared, type SharedSettings } from "./guest-stream.ts";
import { indexCodec } from "./handle-codecs.ts";
import { HostStream } from "./host-stream.ts";
import { ErrorContext, type FutureReader, type StreamReader } from "./stream.ts";

/** A type of streams or futures. */
export interface TransferredType {
  readonly type: TypeIndex;
  readonly item: ItemType;
}

/** `stream<T>`: the readable end moves (CanonicalABI.md, "lift_stream", "lower_stream"). */
export const streamCodec = (type: TransferredType): Codec =>
  indexCodec(
    (context, index) => liftStream(context, index, type),
    (context, value) => lowerStream(context, value, type),
  );

/** `future<T>`. */
export const futureCodec = (type: TransferredType): Codec =>
  indexCodec(
    (context, index) => liftFuture(context, index, type),
    (context, value) => lowerFuture(context, value, type),
  );

export const liftStream = (context: CanonicalContext, index: number, { type }: TransferredType): Shared =>
  liftEnd(context, index, { transferred: "stream", type });

export const liftFuture = (context: CanonicalContext, index: number, { type }: TransferredType): Shared =>
  liftEnd(context, index, { transferred: "future", type });

/** @returns the index of the end that the guest reads */
export function lowerStream({ state }: CanonicalContext, value: unknown, { type, item }: TransferredType): number {
  const { guest } = state;
  const isKnown = (value instanceof GuestStream || value instanceof HostStream) && isOf(value, type, guest);
  const shared = isKnown ? value : new HostStream(value as StreamReader, { type, item, guest });
  return state.handles.add(new CopyEnd("stream", "readable", shared));
}

/** @returns the index of the end that the guest reads */
export function lowerFuture({ state }: CanonicalContext, value: unknown, { type, item }: TransferredType): number {
  const { guest } = state;
  const isKnown = (value instanceof GuestFuture || value instanceof HostFuture) && isOf(value, type, guest);
  const reader = value instanceof Promise ? promised(value) : (value as FutureReader);
  const shared = isKnown ? value : new HostFuture(reader, { type, item, guest });
  return state.handles.add(new CopyEnd("future", "readable", shared));
}

/** `error-context`: it is shared, and nothing moves. */
export const errorContextCodec: Codec = indexCodec(
  ({ state }, index) => {
    const item = state.handles.item(index);
    return item instanceof ErrorContextItem ? item.value : state.trap(`handle ${index} is no error-context`);
  },
  ({ state }, value) =>
    state.handles.add(new ErrorContextItem(value instanceof ErrorContext ? value : new ErrorContext(String(value)))),
);

/** What a guest has given away, and not what another guest has. */
const isOf = (
  shared: Shared & Pick<SharedSettings, "guest">,
  type: TypeIndex,
  guest: SharedSettings["guest"],
): boolean => shared.guest === guest && shared.type === type;

const promised = (promise: Promise<unknown>): FutureReader => ({ read: () => promise, drop: () => undefined });

/** CanonicalABI.md, "lift_async_value". */
function liftEnd(
  { state }: CanonicalContext,
  index: number,
  { transferred, type }: { readonly transferred: Transferred; readonly type: TypeIndex },
): Shared {
  const end = state.handles.item(index);
  if (!(end instanceof CopyEnd) || end.transferred !== transferred || end.side !== "readable") {
    return state.trap(`handle ${index} is no readable end of a ${transferred}`);
  }
  if (end.shared.type !== type) state.trap(`handle ${index} is a ${transferred} of another type`);
  if (end.state !== "idle") state.trap(`the ${transferred} ${index} is given away while it is read, or after its end`);
  if (end.isInSet) state.trap(`the ${transferred} ${index} is given away while it is in a waitable set`);
  state.handles.free(index);
  return end.shared;
}
