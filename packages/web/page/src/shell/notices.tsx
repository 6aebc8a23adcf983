import type { ReactNode } from "react";

import { Store, useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";

interface Notice {
  id: number;
  text: string;
  isError: boolean;
}

const notices = new Store<readonly Notice[]>([]);
let last = 0;

/** Say something for a while, aloud to screen readers. */
export function notify(text: string, how: { isError?: boolean } = {}): void {
  const notice = { id: (last += 1), text: plain(text), isError: how.isError ?? false };
  notices.update((all) => [...all.slice(-2), notice]);
  setTimeout(() => notices.update((all) => all.filter(({ id }) => id !== notice.id)), notice.isError ? 9000 : 4000);
}

export function Notices(): ReactNode {
  const all = useStore(notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {all.map(({ id, text, isError }) => <p key={id} className={isError ? "notice error" : "notice"} dir="auto">{text}</p>)}
    </div>
  );
}

/** Do what a person asked for; what goes wrong is said. */
export async function attempt(doing: () => Promise<unknown>): Promise<void> {
  try {
    await doing();
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error), { isError: true });
    if (!(error instanceof Error)) throw error;
  }
}
