import type { CanonOptions } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import type { TypeArena, TypeFacts } from "./type-arena.ts";
import type { FunctionType } from "./value-type.ts";

// Which canonical options a function cannot do without (CanonicalABI.md, "Flattening" and the validation of `canon lift` and
// `canon lower`): whoever makes the function later may rely on them.

/** More parameters, as core values, are passed in memory. */
export const flatParamsMax = 16;
const flatAsyncParamsMax = 4;
const flatResultsMax = 1;

export interface OptionNeeds {
  readonly memory: boolean;
  readonly realloc: boolean;
}

/** A component that is called: parameters are put into its memory, results taken from there. */
export function liftNeeds(type: FunctionType, { async }: CanonOptions, arena: TypeArena): OptionNeeds {
  const { params, result } = measure(type, arena);
  const areParamsInMemory = params.hasPointer || params.flat > flatParamsMax;
  // An async function gives its result to task.return, which has options of its own.
  const isResultInMemory = !async && (result.hasPointer || result.flat > flatResultsMax);
  return { memory: areParamsInMemory || isResultInMemory, realloc: areParamsInMemory };
}

/** A component that calls: parameters are taken from its memory, results put there. */
export function lowerNeeds(type: FunctionType, { async }: CanonOptions, arena: TypeArena): OptionNeeds {
  const { params, result } = measure(type, arena);
  const areParamsInMemory = params.hasPointer || params.flat > (async ? flatAsyncParamsMax : flatParamsMax);
  const isResultInMemory = result.hasPointer || result.flat > (async ? 0 : flatResultsMax);
  return { memory: areParamsInMemory || isResultInMemory, realloc: result.hasPointer };
}

type Place = Pick<TypeFacts, "hasPointer" | "flat">;

function measure(type: FunctionType, arena: TypeArena): { readonly params: Place; readonly result: Place } {
  const params = type.params.map((param) => arena.facts(param.type));
  return {
    params: {
      hasPointer: params.some(({ hasPointer }) => hasPointer),
      flat: params.reduce((total, { flat }) => total + flat, 0),
    },
    result: type.result === undefined ? { hasPointer: false, flat: 0 } : arena.facts(type.result),
  };
}

export function expectOptions(options: CanonOptions, needs: OptionNeeds, offset: number): void {
  if (options.realloc !== undefined && options.memory === undefined) {
    throw new BinaryError("a function has realloc and no memory", offset);
  }
  if (needs.memory && options.memory === undefined) {
    throw new BinaryError("a function has values in memory, and no memory", offset);
  }
  if (needs.realloc && options.realloc === undefined) {
    throw new BinaryError("a function has values put into memory, and no realloc", offset);
  }
}
