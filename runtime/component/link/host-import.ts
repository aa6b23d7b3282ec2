import { unreachable } from "@shallop/sdk/internal";
import type { Description } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import { functionTypeAt, instanceTypeAt, resolveInstanceType, type DescribedPlace } from "./instance-type.ts";
import type { Export } from "./item.ts";
import { quoted } from "./scope.ts";

/** Something that the host gives: `interface` is empty for what is imported by itself. */
interface HostName {
  readonly interface: string;
  readonly name: string;
}

/** What stands for an import of the outermost component: the host gives what its type says. */
export function hostImport(host: HostName, description: Description, place: DescribedPlace): Export {
  const { scope, builder, offset } = place;
  switch (description.sort) {
    case "function": {
      if (host.interface === "" && host.name.includes(":"))
        throw new BinaryError(`the import ${quoted(host.name)} is a function under the name of an interface`, offset);
      const type = functionTypeAt(description.type, place);
      builder.imported.push({ ...host, type });
      return { sort: "function", item: { kind: "host", ...host, type } };
    }
    case "type": {
      if (description.bound.form === "eq") return scope.getExport("type", description.bound.type, offset);
      builder.imported.push(host);
      return { sort: "type", item: { kind: "resource", resource: builder.defineResource({ kind: "host", ...host }) } };
    }
    case "instance": {
      // No interface of WIT has an interface in it, so there is no name for one.
      if (host.interface !== "") {
        const [outer, inner] = [quoted(host.interface), quoted(host.name)];
        throw new BinaryError(
          `the import ${outer} has the instance ${inner} in it, which no interface of WIT has`,
          offset,
        );
      }
      const type = instanceTypeAt(description.type, place);
      const item = resolveInstanceType(type, builder, (name, inner, innerPlace) =>
        hostImport({ interface: host.name, name }, inner, innerPlace),
      );
      return { sort: "instance", item };
    }
    case "component":
    case "core module":
      throw new BinaryError(`the import ${quoted(host.name)} is a ${description.sort}, which no host gives`, offset);
    default:
      return unreachable(description);
  }
}
