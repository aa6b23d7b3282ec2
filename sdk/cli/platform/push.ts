import { type Descriptor, formatReference, type ImageReference, pushImage } from "../../image/index.ts";
import type { Context } from "../context.ts";
import { bytes } from "../output/table.ts";
import type { LocalImages } from "./image-store.ts";
import { transferProgress } from "./transfer-progress.ts";

/** Sends an image under its tag, and its Wasm artifact under the extra one. */
export async function pushTo(
  context: Context,
  images: LocalImages,
  image: { readonly reference: ImageReference; readonly target: Descriptor },
): Promise<void> {
  const name = formatReference(image.reference);
  const transfer = transferProgress(context, `pushing ${name}`);
  try {
    const pushed = await pushImage(
      images.registry,
      images.store,
      { ...image, extraWasmTag: true },
      { onProgress: transfer.onProgress },
    );
    transfer.done();
    context.print(`${context.style.green(name)} pushed (${bytes(pushed.sentBytes)} sent)`);
    context.print(`  ${pushed.digest}`);
    if (pushed.wasmReference !== undefined) context.print(`  ${formatReference(pushed.wasmReference)}`);
  } finally {
    transfer.done();
  }
}
