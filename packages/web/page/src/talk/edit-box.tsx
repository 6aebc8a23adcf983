import { type ReactNode, useEffect, useRef, useState } from "react";

import { useTexts } from "../i18n/text.ts";

interface Props {
  text: string;
  onSave: (text: string) => void;
  onCancel: () => void;
}

export function EditBox({ text, onSave, onCancel }: Props): ReactNode {
  const { t } = useTexts();
  const [edited, setEdited] = useState(text);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const isSame = !edited.trim() || edited === text;
  return (
    <form className="edit" onSubmit={(event) => { event.preventDefault(); if (!isSame) onSave(edited); }}>
      <textarea
        ref={box}
        value={edited}
        dir="auto"
        aria-label={t("do.edit")}
        rows={Math.min(12, edited.split("\n").length + 1)}
        onChange={(event) => setEdited(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onCancel();
          if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }
        }}
      />
      <footer>
        <button type="button" className="button" onClick={onCancel}>{t("app.cancel")}</button>
        <button type="submit" className="button primary" disabled={isSame}>{t("do.saveEdit")}</button>
      </footer>
    </form>
  );
}
