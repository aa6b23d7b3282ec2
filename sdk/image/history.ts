import { isObject, JsonFields, parseJson } from "./json-fields.ts";
import type { Descriptor } from "./manifest.ts";

/** A step of an image's making, as its config tells it. */
export interface HistoryStep {
  /** RFC 3339; empty when it is not said. */
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** The layer that it made, if it made one. */
  readonly layer?: Descriptor;
}

/** As many layers as a manifest may have, and as many steps again that change none. */
const stepsMax = 4_000;

/**
 * The steps of an image's making, the oldest first, each with its layer (image specification, "Image Configuration").
 * Layers that no step claims come at the end, so that none is hidden.
 *
 * @throws ImageFault MANIFEST_INVALID
 */
export function parseHistory(config: Uint8Array, layers: readonly Descriptor[]): readonly HistoryStep[] {
  const json = parseJson(config, "image config", 32);
  const fields = new JsonFields();
  const rest = [...layers];
  const steps = fields
    .list(isObject(json) ? json["history"] : undefined, "history", stepsMax)
    .map((value, index): HistoryStep => {
      const step = fields.object(value, `history[${index}]`);
      const layer = step["empty_layer"] === true ? undefined : rest.shift();
      return {
        created: fields.optionalString(step["created"], `history[${index}].created`) ?? "",
        createdBy: fields.optionalString(step["created_by"], `history[${index}].created_by`) ?? "",
        comment: fields.optionalString(step["comment"], `history[${index}].comment`) ?? "",
        ...(layer === undefined ? {} : { layer }),
      };
    });
  fields.finish("image config");
  return [...steps, ...rest.map((layer) => ({ created: "", createdBy: "", comment: "", layer }))];
}
