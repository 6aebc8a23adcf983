import { type ComponentType, type LazyExoticComponent, lazy } from "react";

const LONGEST_MS = 5000;

/** A part that is loaded when it is shown first, and asked for again where the network is away just then. */
export function lazily<Props>(load: () => Promise<ComponentType<Props>>): LazyExoticComponent<ComponentType<Props>> {
  return lazy(async () => ({ default: await persistently(load) }));
}

/** Load until it succeeds; what is wrong with the module itself is thrown. */
export async function persistently<T>(load: () => Promise<T>): Promise<T> {
  for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, LONGEST_MS)) {
    try {
      return await load();
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Browsers reject with a TypeError where a module cannot be fetched, and Vite with its own words for a style sheet. */
function isUnreachable(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && error.message.startsWith("Unable to preload"));
}
