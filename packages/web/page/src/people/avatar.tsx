import type { ReactNode } from "react";

import { plain } from "../text/safe.ts";
import { type Character, nameOf, usePicture } from "./characters.ts";

/** Decoration: the name stands beside it. */
export function Avatar({ of, size = "small" }: { of: Character | undefined; size?: "small" | "medium" | "large" }): ReactNode {
  const address = usePicture(of);
  const name = of ? plain(nameOf(of)) : "";
  return (
    <span className={`avatar ${size}`} aria-hidden="true" data-hue={of ? hueOf(of.id) : "plain"}>
      {address ? <img src={address} alt="" /> : <span>{[...name.trim()][0]?.toUpperCase() ?? "✦"}</span>}
    </span>
  );
}

function hueOf(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return sum % 6;
}
