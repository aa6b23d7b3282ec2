import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import { collect } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";
import type { SignFlags, VerifyFlags } from "../images/sign.ts";

/** `sign` and `verify`. */
export const signCommands: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("sign <reference>")
    .description("sign an image in its registry, with all its variants, as cosign does")
    .requiredOption("--key <file>", "the private key: of shallop key generate, of cosign, or PKCS #8 in PEM")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addHelpText(
      "after",
      "\nThe password of an encrypted key comes from SHALLOP_KEY_PASSWORD or COSIGN_PASSWORD, else it is asked for.\n\nExample:\n  shallop sign hello:1.0.0 --key release.key",
    )
    .action(async (reference: string, flags: SignFlags) => {
      const { sign } = await import("../images/sign.ts");
      await sign(context, reference, flags);
    });
  program
    .command("verify <reference>")
    .description("check that an image in a registry is signed by one of the keys; exit code 1 when it is not")
    .requiredOption("--key <file>", "a public key; may be repeated", collect)
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop verify hello:1.0.0 --key release.pub")
    .action(async (reference: string, flags: VerifyFlags) => {
      const { verify } = await import("../images/sign.ts");
      await verify(context, reference, flags);
    });
}
