import type { ReactNode } from "react";

import { useTexts } from "../i18n/text.ts";

/** What is remembered of the person, to see, correct and forget. */
export function MemoryPage({ menu }: { menu: ReactNode }): ReactNode {
  const { t } = useTexts();
  return (
    <div className="start">
      <header className="bar">{menu}<h1>{t("memory.title")}</h1></header>
      <div className="choice"><p className="quiet">{t("memory.lead")}</p></div>
    </div>
  );
}
