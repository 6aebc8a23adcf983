import { useMemo } from "react";

import { persistently } from "../shell/lazily.tsx";
import { Store, useStore } from "../state/store.ts";
import { type Catalogue, en, type Key } from "./en.ts";

export type { Key };

export const LANGUAGES = { en: "English", ja: "日本語", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "idolchat.language";

function chosen(): Language {
  const kept = localStorage.getItem(KEY);
  for (const tag of kept ? [kept] : navigator.languages) {
    const language = tag.slice(0, 2);
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

const catalogue = new Store<{ language: Language; texts: Catalogue }>({ language: "en", texts: en });

async function read(language: Language): Promise<Catalogue> {
  if (language === "ja") return (await persistently(() => import("./ja.ts"))).ja;
  if (language === "ko") return (await persistently(() => import("./ko.ts"))).ko;
  return en;
}

async function show(language: Language): Promise<void> {
  catalogue.set({ language, texts: await read(language) });
  document.documentElement.lang = language;
}

/** Show the language that was chosen, or the browser's. */
export const languageReady = show(chosen());

export function setLanguage(language: Language): void {
  localStorage.setItem(KEY, language);
  void show(language);
}

export interface Texts {
  (key: Key, values?: Record<string, string | number>): string;
}

function filled(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** How dates and numbers are written: as the browser says, where it speaks the language that is shown. */
function localeOf(language: Language): string {
  return navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
}

export function useTexts(): { t: Texts; language: Language; locale: string } {
  const { texts, language } = useStore(catalogue);
  return useMemo(() => ({ t: (key, values = {}) => filled(texts[key] ?? "", values), language, locale: localeOf(language) }), [texts, language]);
}
