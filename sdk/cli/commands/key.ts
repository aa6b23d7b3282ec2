import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const keyCommand: CommandModule = { register };

interface GenerateFlags {
  readonly output: string;
  readonly type: string;
}

function register(program: Command, context: Context): void {
  program
    .command("key")
    .description("keys that images are signed with")
    .command("generate")
    .description("make a pair of keys: PREFIX.key, encrypted by a password, and PREFIX.pub; cosign reads both")
    .option("--output <prefix>", "where they are written", "shallop")
    .option("--type <type>", "ecdsa-p256 or ed25519", "ecdsa-p256")
    .addHelpText(
      "after",
      "\nThe password comes from SHALLOP_KEY_PASSWORD or COSIGN_PASSWORD, else it is asked for.\n\nExample:\n  shallop key generate --output release",
    )
    .action(async (flags: GenerateFlags) => {
      const { generateKey } = await import("../images/sign.ts");
      await generateKey(context, flags);
    });
}
