import type { Content } from "@idolchat/client";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Icon, IconButton } from "../shell/icons.tsx";
import { attempt, notify } from "../shell/notices.tsx";
import { useTakesPictures } from "../state/model.ts";
import { useStore } from "../state/store.ts";
import { drafts } from "./kept.ts";
import { Store } from "../state/store.ts";
import type { Talk, TalkState } from "./talk.ts";

interface Props {
  /** Where the draft belongs. */
  place: string;
  name: string | undefined;
  talk?: Talk;
  onSend: (content: Content) => void;
}

const NOTHING = new Store<TalkState | undefined>(undefined);
const MOST_MB = 4;

export function Composer({ place, name, talk, onSend }: Props): ReactNode {
  const { t } = useTexts();
  const state = useStore((talk?.state ?? NOTHING) as Store<TalkState | undefined>);
  const isRunning = state?.pendings.some((one) => one.turnId && one.state !== "ended" && one.state !== "failed") ?? false;
  const [text, setText] = useState(() => drafts.of(place));
  const takesPictures = useTakesPictures();
  const [pictures, setPictures] = useState<readonly string[]>([]);
  const box = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    const read = (): void => setText(drafts.of(place));
    addEventListener("idolchat:draft", read);
    return () => removeEventListener("idolchat:draft", read);
  }, [place]);
  useLayoutEffect(() => grow(box.current), [text]);
  useEffect(() => { if (matchMedia("(pointer: fine)").matches) box.current?.focus(); }, [place]);

  function write(now: string): void {
    setText(now);
    drafts.set(place, now);
  }
  function send(): void {
    const said = text.trim();
    if (!said && !pictures.length) return;
    onSend(pictures.length ? [{ type: "text", text: said }, ...pictures.map((url) => ({ type: "image_url" as const, image_url: { url } }))] : said);
    write("");
    setPictures([]);
  }
  async function add(files: Iterable<File>): Promise<void> {
    for (const file of files) {
      if (!/^image\/(png|jpeg|webp|gif)$/.test(file.type)) continue;
      if (file.size > MOST_MB * 1024 * 1024) notify(t("compose.tooLarge", { size: MOST_MB }), { isError: true });
      else {
        const url = await dataUrl(file);
        setPictures((all) => [...all, url]);
      }
    }
  }
  return (
    <form className="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      {pictures.length ? (
        <ul className="pictures">
          {pictures.map((url, index) => (
            <li key={index}><img src={url} alt="" /><IconButton icon="close" label={t("compose.remove")} onClick={() => setPictures(pictures.filter((_, at) => at !== index))} /></li>
          ))}
        </ul>
      ) : null}
      <div className="box">
        {takesPictures ? <PictureButton onFiles={(files) => void attempt(() => add(files))} /> : null}
        <textarea
          ref={box}
          value={text}
          dir="auto"
          rows={1}
          enterKeyHint="send"
          placeholder={name ? t("compose.to", { name }) : t("compose.plain")}
          aria-label={t("compose.label")}
          aria-describedby="compose-hint"
          onChange={(event) => write(event.target.value)}
          onPaste={(event) => { if (takesPictures && event.clipboardData.files.length) void attempt(() => add(event.clipboardData.files)); }}
          onKeyDown={(event) => {
            // Enter ends a word in input methods of Japanese, Korean and Chinese.
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || event.keyCode === 229) return;
            event.preventDefault();
            send();
          }}
        />
        {isRunning && talk ? (
          <button type="button" className="round stop" aria-label={t("compose.stop")} title={t("compose.stop")} onClick={() => void attempt(() => talk.stop())}><Icon name="stop" /></button>
        ) : null}
        {!isRunning || text.trim() ? (
          <button type="submit" className="round" aria-label={t("compose.send")} title={t("compose.send")} disabled={!text.trim() && !pictures.length}><Icon name="send" /></button>
        ) : null}
      </div>
      <p id="compose-hint" className="unseen">{t("compose.hint")}</p>
    </form>
  );
}

function PictureButton({ onFiles }: { onFiles: (files: Iterable<File>) => void }): ReactNode {
  const { t } = useTexts();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton icon="picture" label={t("compose.attach")} onClick={() => input.current?.click()} />
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept="image/png,image/jpeg,image/webp,image/gif"
        onChange={(event) => { onFiles([...(event.target.files ?? [])]); event.target.value = ""; }}
      />
    </>
  );
}

function grow(box: HTMLTextAreaElement | null): void {
  if (!box) return;
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the picture cannot be read"));
    reader.readAsDataURL(file);
  });
}
