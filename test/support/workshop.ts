import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtFunction } from "./built-function.ts";
import type { Platform } from "./platform.ts";

/** What an image is to be made of; each is a file that the project's `shallop.yaml` names. */
export interface WorkshopProject {
  /** JavaScript of a module with a function. Without it, and without `component`, there is no Wasm variant. */
  readonly script?: string;
  /** Bytes of a `.wasm` file, whatever they are. */
  readonly component?: Uint8Array;
  /** JavaScript of the native variant: a module with a function, on Node. */
  readonly native?: string;
  /** A native variant for another platform, which this machine cannot run: `linux/s390x`. */
  readonly foreignPlatform?: string;
}

/** Makes projects in a temporary directory, and images of them. */
export class Workshop implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Workshop> {
    return new Workshop(await mkdtemp(join(tmpdir(), "shallop-workshop-")));
  }

  /** Writes a project; its directory. */
  async write(name: string, project: WorkshopProject): Promise<string> {
    const directory = join(this.directory, name);
    await mkdir(directory, { recursive: true });
    const lines = [`name: ${name}`, 'version: "1"'];
    if (project.script !== undefined) {
      await writeFile(join(directory, "function.js"), project.script);
      lines.push("wasm:", "  source: function.js");
    } else if (project.component !== undefined) {
      await writeFile(join(directory, "component.wasm"), project.component);
      lines.push("wasm:", "  source: component.wasm");
    }
    const natives: string[] = [];
    if (project.native !== undefined) {
      await writeFile(join(directory, "native.js"), project.native);
      natives.push("  - node: native.js");
    }
    if (project.foreignPlatform !== undefined) {
      await mkdir(join(directory, "rootfs"), { recursive: true });
      await writeFile(join(directory, "rootfs", "program"), "no program of this machine\n");
      natives.push("  - rootfs: rootfs", `    platform: ${project.foreignPlatform}`, "    entrypoint: [/program]");
    }
    if (natives.length > 0) lines.push("native:", ...natives);
    await writeFile(join(directory, "shallop.yaml"), `${lines.join("\n")}\n`);
    return directory;
  }

  /** Writes a project, its function built already, makes an image of it and pushes that to the platform's registry; the image's reference. */
  async publish(platform: Platform, name: string, { script, ...project }: WorkshopProject): Promise<string> {
    const built = script === undefined ? project : { ...project, component: await builtFunction(script) };
    const directory = await this.write(name, built);
    await platform.run("build", directory, "--push");
    return `${name}:1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
