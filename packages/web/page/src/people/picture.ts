/** A picture of a character as her card holds it: small enough to be read with her. */

import type { CardAsset } from "./characters.ts";

const MOST_PIXELS = 512;

/** Scale a picture down, and write it as a data URL. Rejects where the browser cannot read it. */
export async function scaled(file: File): Promise<string> {
  const picture = await createImageBitmap(file);
  const factor = Math.min(1, MOST_PIXELS / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * factor));
  canvas.height = Math.max(1, Math.round(picture.height * factor));
  canvas.getContext("2d")!.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/webp", 0.9); // a browser that writes no WebP writes PNG
}

/** The assets of a character with another main picture, or none. */
export function assetsWith(uri: string | null, before: readonly CardAsset[] | null | undefined): CardAsset[] {
  const others = (before ?? []).filter(({ type, name }) => type.toLowerCase() !== "icon" || name.toLowerCase() !== "main");
  if (!uri) return others;
  return [{ type: "icon", name: "main", ext: /^data:image\/(\w+)/.exec(uri)?.[1] ?? "png", uri }, ...others];
}
