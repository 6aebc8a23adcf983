import "./styles/base.css";
import "./styles/shell.css";
import "./styles/talk.css";

import { createRoot } from "react-dom/client";

import { App } from "./app.tsx";
import { languageReady } from "./i18n/text.ts";
import { enter } from "./state/session.ts";

const root = createRoot(document.getElementById("page")!);
void Promise.all([enter(), languageReady]).then(() => root.render(<App />));
