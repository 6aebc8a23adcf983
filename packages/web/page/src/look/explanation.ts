import { ApiError, type PromptExplanation } from "@idolchat/client";
import { useEffect, useState } from "react";

import { client } from "../state/session.ts";

/** How the prompt of a turn was made; an error where that is not known, undefined while it is read. */
export function useExplanation(turnId: string | undefined): PromptExplanation | ApiError | undefined {
  const [found, setFound] = useState<PromptExplanation | ApiError>();
  useEffect(() => {
    let isWanted = true;
    setFound(undefined);
    if (!turnId) return;
    client.explainPrompt(turnId).then(
      (explained) => isWanted && setFound(explained),
      (error: unknown) => { if (isWanted && error instanceof ApiError) setFound(error); },
    );
    return () => { isWanted = false; };
  }, [turnId]);
  return found;
}
