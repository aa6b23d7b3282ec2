import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec } from "./codec.ts";
import type { BorrowScope, Handle } from "./handle-table.ts";

/** A resource of a guest, while it is on its way from one component to another. */
class GuestResource {
  readonly resource: number;
  /** The number by which the guest that defines it knows it. */
  readonly representation: number;

  constructor(resource: number, representation: number) {
    this.resource = resource;
    this.representation = representation;
  }
}

export interface ResourceKind {
  /** Index into `LinkPlan.resources`. */
  readonly resource: number;
  /** The component instance that defines it, by its number; undefined for one of the host. */
  readonly definedBy: number | undefined;
}

const indexBytes = 4;

/** Of what is passed as its index in the guest's table. */
export function indexCodec(
  lift: (context: CanonicalContext, index: number) => unknown,
  lower: (context: CanonicalContext, value: unknown) => number,
): Codec {
  return {
    size: indexBytes,
    alignment: indexBytes,
    flat: ["i32"],
    load: (context, pointer) => lift(context, context.view.getUint32(pointer, true)),
    store: (context, value, pointer) => {
      const index = lower(context, value);
      context.view.setUint32(pointer, index, true);
    },
    lift: (context, values, at) => lift(context, Number(values[at]) >>> 0),
    lower: (context, value, values) => void values.push(lower(context, value)),
  };
}

/** `own<T>`: the handle moves (CanonicalABI.md, "lift_own", "lower_own"). */
export const ownCodec = ({ resource, definedBy }: ResourceKind): Codec =>
  indexCodec(
    ({ state }, index) => {
      const handle = state.handles.remove(index, resource);
      if (!handle.own) state.trap(`handle ${index} is borrowed, and cannot be given away`);
      return valueOf(handle, definedBy);
    },
    ({ state }, value) =>
      state.handles.add({
        resource,
        representation: representationOf(value, definedBy),
        own: true,
        scope: undefined,
        lends: 0,
      }),
  );

/** `borrow<T>`: the handle is lent for the call (CanonicalABI.md, "lift_borrow", "lower_borrow"). */
export const borrowCodec = ({ resource, definedBy }: ResourceKind): Codec =>
  indexCodec(
    ({ state }, index) => {
      const handle = state.handles.get(index, resource);
      state.lend(handle);
      return valueOf(handle, definedBy);
    },
    ({ state }, value) => {
      const representation = representationOf(value, definedBy);
      // The component that defines a resource knows it by its own number, and has nothing to give back.
      if (definedBy === state.number) return Number(representation);
      const scope: BorrowScope | undefined = state.borrowing;
      if (scope === undefined) throw new TypeError("a handle can be lent to a call only");
      scope.borrows++;
      return state.handles.add({ resource, representation, own: false, scope, lends: 0 });
    },
  );

const valueOf = ({ resource, representation }: Handle, definedBy: number | undefined): unknown =>
  definedBy === undefined ? representation : new GuestResource(resource, Number(representation));

const representationOf = (value: unknown, definedBy: number | undefined): unknown =>
  definedBy === undefined ? value : (value as GuestResource).representation;
