/** What the server, or the way to it, said no to. */

export interface Problem {
  message: string;
  type?: string;
  code?: string;
  param?: string | null;
  request_id?: string;
  [more: string]: unknown;
}

/** The server answered with an error; decide by `code`, show `message`. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Problem;
  /** Seconds after which the same may be asked again. */
  readonly retryAfterS: number | undefined;

  constructor(status: number, problem: Problem, retryAfterS?: number) {
    super(problem.message);
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed in a moment: the server is starting, stopping or busy. */
  get isPassing(): boolean {
    return this.status === 429 ? this.code === "rate_limit_exceeded" : [502, 503, 504].includes(this.status) && this.code !== "spending_stopped";
  }
}

/** The server could not be reached, or went away. */
export class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super("the server cannot be reached", { cause });
    this.name = "ConnectionLost";
  }
}

export async function errorFrom(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get("retry-after"));
  const text = await response.text().catch(() => "");
  return new ApiError(response.status, problemIn(text) ?? { message: `HTTP ${response.status}` }, after || undefined);
}

function problemIn(text: string): Problem | undefined {
  try {
    const error: unknown = (JSON.parse(text) as { error?: unknown }).error;
    return error && typeof error === "object" ? (error as Problem) : undefined;
  } catch {
    return undefined; // a proxy's own page
  }
}
