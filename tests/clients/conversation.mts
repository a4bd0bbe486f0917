// What test_typescript_client.py lets the TypeScript client do. Each line that is printed is one JSON value.
import { Entitled, EntitledError, type EntitledOptions } from "../../clients/typescript/entitled.ts";

const [what = "", url = "", key = "", options = "{}"] = process.argv.slice(2);
const entitled = new Entitled(url, key, JSON.parse(options) as EntitledOptions);
const tell = (value: unknown) => console.log(JSON.stringify(value));

async function use(): Promise<void> {
  const input = { idempotencyKey: "one", workspaceId: "acme", featureKey: "api_calls", amount: "2.5" };
  for (const asked of [input, input, { ...input, idempotencyKey: "two", featureKey: "teleport" }]) {
    const result = await entitled.recordUsage({ input: asked });
    if (result.__typename === "RecordUsagePayload") tell([result.replayed, result.entitlement.usage?.used]);
    else tell([result.__typename, result.code]);
  }
}

async function hold(): Promise<void> {
  const lines = [{ featureKey: "api_calls", amount: "10" }];
  for (const [idempotencyKey, amount] of [["a", "10"], ["b", "1000"]] as const) {
    const used = await entitled.consume({ input: { idempotencyKey, workspaceId: "acme", lines: [{ ...lines[0]!, amount }] } });
    if (used.__typename === "ConsumePayload") tell(used.decisions.length);
    else if (used.__typename === "LimitExceededError") tell([used.line, used.decision.entitlement.accessDeniedReason]);
  }
  for (const ended of ["settled", "released"]) {
    const held = await entitled.reserve({ input: { idempotencyKey: ended, workspaceId: "acme", lines, ttlSeconds: 60 } });
    if (held.__typename !== "ReservationPayload") throw new Error(held.code);
    const input = { idempotencyKey: `then ${ended}`, reservationId: held.reservationId };
    const end = ended === "settled" ? await entitled.settle({ input }) : await entitled.release({ input });
    tell(end.__typename);
  }
}

async function ask(): Promise<void> {
  const inputs = ["sso", "teleport"].map((featureKey) => ({ workspaceId: "acme", featureKey }));
  tell((await entitled.checkEntitlements({ inputs })).map(({ entitlement }) => entitlement.hasAccess));
  tell((await entitled.entitlements({ workspaceId: "acme", featureKeys: ["sso"] })).entitlements.length);
}

async function follow(): Promise<void> {
  for await (const { entitlements } of entitled.entitlementsChanged({ workspaceId: "bare" })) {
    const sso = entitlements.find(({ featureKey }) => featureKey === "sso");
    tell(sso?.hasAccess);
    if (sso?.hasAccess) return;
  }
}

async function stop(): Promise<void> {
  const stopping = new AbortController();
  for await (const { accessDeniedReason } of entitled.entitlementsChanged({ workspaceId: "acme" }, stopping.signal)) {
    tell(accessDeniedReason);
    setTimeout(() => stopping.abort());
  }
  tell("stopped");
}

try {
  const deeds: Record<string, () => Promise<void>> = { use, hold, ask, follow, stop };
  await deeds[what]?.();
} catch (error) {
  if (!(error instanceof EntitledError)) throw error;
  tell([error.name, error.code, error.message]);
}
