import type { Event } from "../../api/index.ts";
import type { Context } from "../context.ts";
import { age } from "../output/table.ts";
import { timeOf } from "./warnings.ts";

/** Events as rows: age, type, object, reason, message. */
export function eventRows(context: Context, events: readonly Event[]): readonly (readonly string[])[] {
  return events.map((event) => [
    age(timeOf(event), context.clock.wallMs()) + ((event.count ?? 1) > 1 ? ` (x${event.count})` : ""),
    event.type === "Warning" ? context.style.yellow(event.type) : event.type,
    `${event.involvedObject.kind.toLowerCase()}/${event.involvedObject.name}`,
    event.reason,
    event.message,
  ]);
}
