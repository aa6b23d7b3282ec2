import { access, readFile, writeFile } from "node:fs/promises";
import { type Descriptor, type Digest, formatReference, type ImageReference, pinned } from "../../image/index.ts";
import {
  encryptKey,
  generateKeyPair,
  type KeyType,
  parseSignKey,
  parseVerifyKey,
  readEvidence,
  signImage,
  TrustFault,
  verifyEvidence,
} from "../../trust/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import { table } from "../output/table.ts";
import { type LocalImages, openImages } from "../platform/image-store.ts";
import { keyPassword } from "./password.ts";

export interface SignFlags {
  readonly key: string;
  readonly data?: string;
}

export interface VerifyFlags {
  readonly key: readonly string[];
  readonly data?: string;
  readonly output?: string;
}

/** Writes a pair of keys, never over files that are there. @throws CliFault USAGE */
export async function generateKey(
  context: Context,
  flags: { readonly output: string; readonly type: string },
): Promise<void> {
  if (flags.type !== "ecdsa-p256" && flags.type !== "ed25519") {
    throw new CliFault("USAGE", `--type ${flags.type} is not known; take ecdsa-p256 or ed25519`);
  }
  const type: KeyType = flags.type;
  const [privatePath, publicPath] = [`${flags.output}.key`, `${flags.output}.pub`];
  for (const path of [privatePath, publicPath]) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) throw new CliFault("USAGE", `${path} is there already; give another --output, or remove it yourself`);
  }
  const password = await keyPassword(context, { confirm: true });
  const { privateDer, publicPem } = generateKeyPair(type);
  await writeFile(privatePath, encryptKey(privateDer, password), { mode: 0o600, flag: "wx" });
  await writeFile(publicPath, publicPem, { flag: "wx" });
  context.print(`${context.style.green(privatePath)} is the private key; keep it\n${publicPath} is for everybody`);
  context.print(`  ${parseVerifyKey(publicPem).id}`);
}

/** Signs the index and each manifest in it: a reader may be given either. @throws ImageFault, TrustFault */
export async function sign(context: Context, text: string, flags: SignFlags): Promise<void> {
  const key = await signKeyIn(context, flags.key);
  const images = await openImages(context, flags);
  const { reference, root, children } = await imageInRegistry(images, text);
  for (const target of [...children, root]) {
    const { registry, repository } = reference;
    await signImage(images.registry, { registry, repository, digest: target.digest, target }, key);
  }
  context.print(`${context.style.green(formatReference(reference))} signed`);
  context.print(`  ${root.digest}\n  by key ${key.id}`);
}

/** Prints the signatures that are good. @throws TrustFault SIGNATURE_MISSING | SIGNATURE_INVALID */
export async function verify(context: Context, text: string, flags: VerifyFlags): Promise<void> {
  const keys = await Promise.all(flags.key.map(async (path) => parseVerifyKey(await readKeyFile(path))));
  const images = await openImages(context, flags);
  const { reference, root } = await imageInRegistry(images, text);
  const image = pinned(reference, root.digest);
  const signatures = verifyEvidence(await readEvidence(images.registry, image), root.digest, keys);
  if (flags.output === "json") {
    return context.print(
      JSON.stringify({ reference: formatReference(image), digest: root.digest, signatures }, null, 2),
    );
  }
  context.print(`${context.style.green(formatReference(reference))} is signed\n  ${root.digest}\n`);
  context.print(
    table(
      ["KEY", "FORM", "SIGNED AS"],
      signatures.map(({ keyId, form, identity }) => [keyId.slice(0, 16), form, identity]),
    ),
  );
}

async function imageInRegistry(
  images: LocalImages,
  text: string,
): Promise<{
  readonly reference: ImageReference;
  readonly root: Descriptor;
  readonly children: readonly Descriptor[];
}> {
  const reference = images.reference(text);
  const { descriptor, document } = await images.registry.manifest(reference);
  const children = document.kind === "index" ? document.manifests : [];
  const once = new Map<Digest, Descriptor>(children.map((child) => [child.digest, child]));
  return { reference, root: descriptor, children: [...once.values()] };
}

async function signKeyIn(context: Context, path: string) {
  const pem = await readKeyFile(path);
  try {
    return parseSignKey(pem, undefined);
  } catch (error) {
    if (!(error instanceof TrustFault) || error.code !== "PASSWORD_WRONG") throw error;
  }
  return parseSignKey(pem, await keyPassword(context, { confirm: false }));
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliFault("NOT_FOUND", `the key ${path} cannot be read`, { cause: error });
  }
}
