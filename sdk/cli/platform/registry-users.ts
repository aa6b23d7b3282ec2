import { anonymousUser, RegistryUsers } from "../../image/index.ts";
import { systemRandom } from "../../internal/random.ts";
import { CliFault } from "../cli-fault.ts";
import { type Context, dataDirectoryOf } from "../context.ts";
import { table } from "../output/table.ts";
import { registryUsersFile } from "./programs.ts";

export interface GrantFlags {
  readonly data?: string;
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly passwordStdin?: boolean;
  readonly keepPassword?: boolean;
}

/** A password that nobody has to remember. */
const passwordBytes = 18;
/** Longer input is no password. */
const inputBytesMax = 4 * 1024;

/** @throws CliFault USAGE; ImageFault CREDENTIALS_INVALID */
export async function addUser(context: Context, name: string, flags: GrantFlags): Promise<void> {
  const users = usersOf(context, flags);
  const { read, write } = flags;
  if (read.length + write.length === 0) {
    throw new CliFault("USAGE", `${name} could do nothing; give --read or --write with repositories such as 'team/*'`);
  }
  const isAnonymous = name === anonymousUser;
  if (isAnonymous && flags.passwordStdin === true) throw new CliFault("USAGE", "anonymous has no password");
  const password =
    isAnonymous || flags.keepPassword === true
      ? undefined
      : flags.passwordStdin === true
        ? await passwordFromInput()
        : systemRandom.token(passwordBytes);
  await users.set({ name, read, write }, password);
  context.print(`${context.style.green(name)} may ${described({ read, write })}`);
  if (password !== undefined && flags.passwordStdin !== true) context.print(`  password: ${password}`);
}

/** Names and rights, never passwords. */
export async function listUsers(
  context: Context,
  flags: { readonly data?: string; readonly output?: string },
): Promise<void> {
  const users = [...(await usersOf(context, flags).list()).values()].map(({ name, read, write }) => ({
    name,
    read,
    write,
  }));
  if (flags.output === "json") return context.print(JSON.stringify(users, null, 2));
  if (users.length === 0) return context.print("no users; add one with: shallop registry user add NAME --write '*'");
  context.print(
    table(
      ["NAME", "READ", "WRITE"],
      users.map(({ name, read, write }) => [name, read.join(", "), write.join(", ")]),
    ),
  );
}

/** @throws CliFault NOT_FOUND */
export async function removeUser(context: Context, name: string, flags: { readonly data?: string }): Promise<void> {
  if (!(await usersOf(context, flags).remove(name))) {
    throw new CliFault("NOT_FOUND", `the registry has no user ${name}; shallop registry user list shows them`);
  }
  context.print(`${name} removed; tokens that it has end within five minutes`);
}

const usersOf = (context: Context, flags: { readonly data?: string }): RegistryUsers =>
  new RegistryUsers(registryUsersFile(dataDirectoryOf(context, flags)));

function described({ read, write }: Pick<GrantFlags, "read" | "write">): string {
  const parts = [];
  if (read.length > 0) parts.push(`read ${read.join(", ")}`);
  if (write.length > 0) parts.push(`write ${write.join(", ")}`);
  return parts.join(" and ");
}

/** @throws CliFault USAGE */
async function passwordFromInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > inputBytesMax) throw new CliFault("USAGE", "what came on standard input is no password");
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw new CliFault("USAGE", "no password came on standard input");
  return password;
}
