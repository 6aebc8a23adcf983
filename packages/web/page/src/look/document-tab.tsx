import { type ReactNode, useEffect, useState } from "react";
import { VList } from "virtua";

import { useTexts } from "../i18n/text.ts";
import { Icon } from "../shell/icons.tsx";
import { attempt } from "../shell/notices.tsx";
import { client } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { save } from "../text/download.ts";
import { plain } from "../text/safe.ts";
import type { Talk } from "../talk/talk.ts";

/** The document, byte for byte as it is served; a message a line. */
export function DocumentTab({ talk }: { talk: Talk }): ReactNode {
  const { t } = useTexts();
  const { tree } = useStore(talk.state);
  const [text, setText] = useState<string>();
  useEffect(() => {
    let isWanted = true;
    void attempt(async () => {
      const response = await client.fetch(`conversation/${talk.id}`);
      const read = await response.text();
      if (isWanted) setText(read);
    });
    return () => { isWanted = false; };
  }, [talk, tree]);
  if (text === undefined) return <p className="quiet" role="status">{t("app.loading")}</p>;
  return (
    <div className="document">
      <p className="quiet">{t("look.file")} <button type="button" className="link" onClick={() => save(new Blob([text], { type: "application/json" }), `${talk.id}.json`)}><Icon name="download" /> {t("do.download")}</button></p>
      <VList className="lines" tabIndex={0}>{text.split("\n").map((line, index) => <pre key={index} dir="ltr">{plain(line)}</pre>)}</VList>
    </div>
  );
}
