/** The service refused to answer: a wrong key, a missing scope, an invalid question. Asking again does not help. */
export class EntitledError extends Error {
  /** Stable; `message` may change. */
  readonly code: string;
  /** For support. */
  readonly requestId: string | undefined;

  constructor(code: string, message: string, requestId?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.requestId = requestId;
  }
}

/** The service could not tell: unreachable, too slow, not ready. Whether that opens a gate is yours to decide. */
export class UnavailableError extends EntitledError {}

export interface EntitledOptions {
  /** Bounds each question, and the opening of something live, in milliseconds; 2000 unless given. */
  timeoutMs?: number;
  /** Something live that is silent for twice as long is given up, in milliseconds; 10000 unless given. */
  beatMs?: number;
  /** In place of the global one. */
  fetch?: typeof globalThis.fetch;
}

interface GraphQLError {
  message: string;
  extensions?: { code?: string; requestId?: string };
}

interface Answer {
  data?: unknown;
  errors?: GraphQLError[];
}

type Message =
  | { type: "connection_ack" | "ping" | "pong" | "complete" }
  | { type: "next"; payload: Answer }
  | { type: "error"; payload: GraphQLError[] }
  | { type: "closed"; code: number; reason: string };

const PASSING_CODES = ["NOT_READY", "UNAVAILABLE", "INTERNAL"];
const PASSING_STATUS = [408, 425, 429];

/** Asks the GraphQL endpoint at `url` with an API key. */
class Transport {
  readonly #url: string;
  readonly #authorization: string;
  readonly #options: Required<EntitledOptions>;

  constructor(url: string, apiKey: string, options: EntitledOptions = {}) {
    this.#url = new URL(url).href;
    this.#authorization = `Bearer ${apiKey}`;
    this.#options = { timeoutMs: 2_000, beatMs: 10_000, fetch: globalThis.fetch, ...options };
  }

  protected async ask<Data>(field: keyof Data, query: string, variables: object): Promise<Data[keyof Data]> {
    const request = new Request(this.#url, {
      method: "POST",
      headers: { Authorization: this.#authorization, "Content-Type": "application/json" },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(this.#options.timeoutMs),
    });
    const { status, text } = await this.#send(request);
    return dataOf<Data>(parsed(text) ?? noGraphQL(this.#url, status))[field];
  }

  async #send(request: Request): Promise<{ status: number; text: string }> {
    const { fetch } = this.#options; // browsers want it called without an owner
    try {
      const response = await fetch(request);
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      throw new UnavailableError("UNREACHABLE", `no answer from ${this.#url}: ${cause}`, undefined, { cause });
    }
  }

  protected async *follow<Data>(
    field: keyof Data,
    query: string,
    variables: object,
    signal?: AbortSignal,
  ): AsyncGenerator<Data[keyof Data], void, undefined> {
    const socket = new Socket(this.#url.replace(/^http/, "ws"), this.#authorization, this.#options);
    const stop = () => socket.push({ type: "complete" });
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      for (;;) {
        const message = await socket.next();
        if (message.type === "connection_ack") socket.send({ id: "1", type: "subscribe", payload: { query, variables } });
        if (message.type === "next") yield dataOf<Data>(message.payload)[field];
        if (message.type === "error") throw refusal(message.payload[0]);
        if (message.type === "closed") throw closed(this.#url, message);
        if (message.type === "complete") return;
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      socket.close();
    }
  }
}

/** A connection that speaks graphql-transport-ws, and that notices when the other side is gone. */
class Socket {
  readonly #socket: WebSocket;
  readonly #inbox: Message[] = [];
  readonly #slow: ReturnType<typeof setTimeout>;
  readonly #beat: ReturnType<typeof setInterval>;
  #heard = true;
  #wake = () => {};

  constructor(url: string, authorization: string, { timeoutMs, beatMs }: Required<EntitledOptions>) {
    this.#socket = new WebSocket(url, "graphql-transport-ws");
    this.#socket.onopen = () => this.send({ type: "connection_init", payload: { Authorization: authorization } });
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.push({ type: "closed", code, reason });
    this.#slow = setTimeout(() => this.#gone("too slow to open"), timeoutMs);
    this.#beat = setInterval(() => (this.#heard ? this.#ping() : this.#gone("silent")), beatMs);
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#inbox.shift();
      if (message) return message;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  push(message: Message): void {
    this.#inbox.push(message);
    this.#wake();
  }

  send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    clearTimeout(this.#slow);
    clearInterval(this.#beat);
    this.#socket.close();
  }

  #take(message: Message): void {
    this.#heard = true;
    if (message.type === "connection_ack") clearTimeout(this.#slow);
    if (message.type === "ping") this.send({ type: "pong" });
    this.push(message);
  }

  #ping(): void {
    this.#heard = false;
    this.send({ type: "ping" });
  }

  #gone(reason: string): void {
    this.push({ type: "closed", code: 1006, reason });
  }
}

function parsed(text: string): Answer | undefined {
  try {
    const answer = JSON.parse(text);
    return answer instanceof Object && ("data" in answer || "errors" in answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}

function dataOf<Data>({ data, errors }: Answer): Data {
  if (errors?.length) throw refusal(errors[0]);
  return data as Data;
}

function refusal({ message, extensions = {} }: GraphQLError = { message: "refused without a reason" }): EntitledError {
  const code = extensions.code ?? "UNKNOWN";
  const Kind = PASSING_CODES.includes(code) ? UnavailableError : EntitledError;
  return new Kind(code, message, extensions.requestId);
}

/** Something else than the service answered: a proxy, or another path. */
function noGraphQL(url: string, status: number): never {
  const message = `${url} answered ${status} without GraphQL`;
  if (status >= 500 || PASSING_STATUS.includes(status)) throw new UnavailableError("UNREACHABLE", message);
  throw new EntitledError("NO_GRAPHQL", `${message}; the address is to name the endpoint, as in https://HOST/graphql`);
}

function closed(url: string, { code, reason }: { code: number; reason: string }): EntitledError {
  const message = `${url} closed the socket with ${code}: ${reason}`;
  const isRefused = code >= 4400 && code < 4500 && code !== 4408;
  return isRefused ? new EntitledError("FORBIDDEN", message) : new UnavailableError("UNREACHABLE", message);
}
