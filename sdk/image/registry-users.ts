import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, type Random, systemRandom } from "@shallop/sdk/internal";
import { ImageFault } from "./fault.ts";
import { JsonFields, parseJson } from "./json-fields.ts";

/** What somebody may do in the built-in registry, by patterns: `team/app`, `team/*`, `*`. */
export interface RegistryGrant {
  /** Pull. */
  readonly read: readonly string[];
  /** Pull, push and delete. */
  readonly write: readonly string[];
}

export interface RegistryUser extends RegistryGrant {
  readonly name: string;
  /** `scrypt$N$r$p$salt$hash`; absent for `anonymous` only. */
  readonly password?: string | undefined;
}

/** Who gives no login. Has rights only when somebody has given it some. */
export const anonymousUser = "anonymous";

/** A user of a registry is a person or a job of a CI; a thousand is a directory service's business. */
const usersMax = 1_000;
const patternsMax = 100;
/** Beyond every file that the bounds above allow to be written. */
const fileBytesMax = 64 * 1024 * 1024;
/** RFC 7914 gives N=16384 for logins that a person waits for: 50 ms and 16 MiB a try. */
const cost = { N: 16_384, r: 8, p: 1 };
const hashBytes = 32;
/** Longer ones are no passwords, and hashing costs time. */
const passwordLengthMax = 1_024;

/**
 * The users of the built-in registry: a file that is replaced as a whole. It is read again when it has changed, so that
 * what the command line writes counts at once.
 */
export class RegistryUsers {
  readonly #path: string;
  readonly #random: Random;
  #read: { readonly version: string; readonly users: ReadonlyMap<string, RegistryUser> } | undefined;

  constructor(path: string, random: Random = systemRandom) {
    this.#path = path;
    this.#random = random;
  }

  /** By name. @throws ImageFault CREDENTIALS_INVALID when the file is not what this class writes */
  async list(): Promise<ReadonlyMap<string, RegistryUser>> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (this.#read?.version !== version) {
        this.#read = { version, users: parseUsers(await readFile(this.#path), this.#path) };
      }
      return this.#read.users;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return new Map();
      if (error instanceof ImageFault) throw error;
      throw new ImageFault("CREDENTIALS_INVALID", `the users of the registry in ${this.#path} cannot be read`, {
        cause: error,
      });
    }
  }

  /** Adds a user, or replaces the one of this name. Without a password an old one stays. @throws ImageFault */
  async set(user: RegistryGrant & { readonly name: string }, password: string | undefined): Promise<void> {
    const users = new Map(await this.list());
    const hashed = password === undefined ? users.get(user.name)?.password : await hashPassword(password);
    const record: RegistryUser = { ...user, ...(hashed === undefined ? {} : { password: hashed }) };
    const problem = problemOf(record);
    if (problem !== undefined) throw new ImageFault("CREDENTIALS_INVALID", problem);
    if (!users.has(user.name) && users.size >= usersMax) {
      throw new ImageFault(
        "CREDENTIALS_INVALID",
        `the registry has ${usersMax} users, which is as many as it may have`,
      );
    }
    users.set(user.name, record);
    await this.#write(users);
  }

  /** False when there was none. */
  async remove(name: string): Promise<boolean> {
    const users = new Map(await this.list());
    if (!users.delete(name)) return false;
    await this.#write(users);
    return true;
  }

  async #write(users: ReadonlyMap<string, RegistryUser>): Promise<void> {
    const draft = `${this.#path}.${this.#random.uuid()}`;
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    try {
      await using file = await open(draft, "wx", 0o600);
      const sorted = [...users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      await file.writeFile(`${JSON.stringify({ users: sorted }, null, 2)}\n`);
      await file.sync();
      await rename(draft, this.#path);
    } finally {
      await rm(draft, { force: true });
    }
    this.#read = undefined;
  }
}

/** Whether a password is the one of which only the hash is kept. Takes as long for a user that is not there. */
export async function passwordMatches(user: RegistryUser | undefined, password: string): Promise<boolean> {
  const [, , , , salt = "", hash = ""] = (user?.password ?? "").split("$");
  if (password.length > passwordLengthMax) return false;
  const expected = Buffer.from(hash, "base64url");
  const actual = await derive(password, Buffer.from(salt, "base64url"));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

async function hashPassword(password: string): Promise<string> {
  if (password === "" || password.length > passwordLengthMax) {
    throw new ImageFault("CREDENTIALS_INVALID", `a password has 1 to ${passwordLengthMax} characters`);
  }
  const salt = randomBytes(16);
  const hash = await derive(password, salt);
  return ["scrypt", cost.N, cost.r, cost.p, salt.toString("base64url"), hash.toString("base64url")].join("$");
}

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, cost, (error, key) => (error === null ? resolve(key) : reject(error)));
  });

function problemOf(user: RegistryUser): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/.test(user.name)) {
    return `"${user.name.slice(0, 130)}" is no name of a user: letters, digits, . _ @ -, at most 128`;
  }
  if (user.name === anonymousUser && user.password !== undefined) return "the user anonymous has no password";
  if (user.name !== anonymousUser && user.password === undefined) return `the user ${user.name} needs a password`;
  const patterns = [...user.read, ...user.write];
  if (patterns.length > patternsMax) return `a user has at most ${patternsMax} patterns`;
  const wrong = patterns.find((pattern) => !isPattern(pattern));
  return wrong === undefined
    ? undefined
    : `"${wrong.slice(0, 130)}" names no repositories: write team/app, team/* or *`;
}

const isPattern = (text: string): boolean =>
  text.length <= 255 &&
  /^(\*|[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*(\/\*)?)$/.test(text);

function parseUsers(bytes: Uint8Array, path: string): ReadonlyMap<string, RegistryUser> {
  const what = `the users of the registry in ${path}`;
  if (bytes.length > fileBytesMax) throw new ImageFault("CREDENTIALS_INVALID", `${what} are too many`);
  const fields = new JsonFields();
  const users = new Map<string, RegistryUser>();
  try {
    const list = fields.list(fields.object(parseJson(bytes, what, 8), "file")["users"], "users", usersMax);
    for (const [index, item] of list.entries()) {
      const at = `users[${index}]`;
      const object = fields.object(item, at);
      const password = fields.optionalString(object["password"], `${at}.password`);
      const user: RegistryUser = {
        name: fields.string(object["name"], `${at}.name`),
        read: fields.strings(object["read"], `${at}.read`, patternsMax),
        write: fields.strings(object["write"], `${at}.write`, patternsMax),
        ...(password === undefined ? {} : { password }),
      };
      const problem = problemOf(user);
      if (problem !== undefined) fields.wrong(at, problem);
      users.set(user.name, user);
    }
    fields.finish(what);
  } catch (error) {
    // Nobody is let in by what cannot be understood.
    throw new ImageFault("CREDENTIALS_INVALID", `${what} cannot be used`, { cause: error });
  }
  return users;
}
