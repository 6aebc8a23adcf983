import { type ReactNode, useEffect, useId, useRef } from "react";

import { useTexts } from "../i18n/text.ts";
import { IconButton } from "./icons.tsx";

/** The browser's own dialog, which keeps the focus and closes on Escape. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }): ReactNode {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current!;
    shown.showModal();
    return () => shown.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose} onClick={(event) => event.target === dialog.current && onClose()}>
      <div className="dialog">
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label={t("app.close")} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface AskProps {
  question: string;
  action: string;
  onDo: () => void;
  onClose: () => void;
}

/** Asks before anything is destroyed. */
export function Ask({ question, action, onDo, onClose }: AskProps): ReactNode {
  const { t } = useTexts();
  return (
    <Dialog title={action} onClose={onClose}>
      <p>{question}</p>
      <footer>
        <button type="button" className="button" onClick={onClose}>{t("app.cancel")}</button>
        <button type="button" className="button danger" onClick={() => { onClose(); onDo(); }}>{action}</button>
      </footer>
    </Dialog>
  );
}
