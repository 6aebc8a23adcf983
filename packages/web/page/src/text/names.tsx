import type { ReactNode } from "react";

import { plain } from "./safe.ts";

/** A name of a stranger, which turns nothing around it. */
export function Name({ children }: { children: string }): ReactNode {
  return <bdi>{plain(children)}</bdi>;
}
