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
export const streamCodec = ({ type, item }: TransferredType): Codec =>
  transferCodec("stream", type, (value, guest) => {
    if ((value instanceof GuestStream || value instanceof HostStream) && isOf(value, type, guest)) return value;
    return new HostStream(value as StreamReader, { type, item, guest });
  });

/** `future<T>`. */
export const futureCodec = ({ type, item }: TransferredType): Codec =>
  transferCodec("future", type, (value, guest) => {
    if ((value instanceof GuestFuture || value instanceof HostFuture) && isOf(value, type, guest)) return value;
    const reader = value instanceof Promise ? promised(value) : (value as FutureReader);
    return new HostFuture(reader, { type, item, guest });
  });

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

const transferCodec = (
  transferred: Transferred,
  type: TypeIndex,
  share: (value: unknown, guest: SharedSettings["guest"]) => Shared,
): Codec =>
  indexCodec(
    (context, index) => liftEnd(context, index, { transferred, type }),
    ({ state }, value) => state.handles.add(new CopyEnd(transferred, "readable", share(value, state.guest))),
  );

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
