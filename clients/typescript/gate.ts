// Gate a feature in ten lines. Try it: ENTITLED_URL=… ENTITLED_API_KEY=… node gate.ts WORKSPACE FEATURE
import { Entitled, UnavailableError } from "./entitled.ts";

const FAIL_OPEN = false; // the answer while the service cannot tell: false keeps everybody out, true lets everybody in

export async function mayUse(entitled: Entitled, workspaceId: string, featureKey: string): Promise<boolean> {
  try {
    const { entitlement } = await entitled.checkEntitlement({ input: { workspaceId, featureKey } });
    return entitlement.accessDeniedReason === "STATE_UNKNOWN" ? FAIL_OPEN : entitlement.hasAccess;
  } catch (error) {
    if (error instanceof UnavailableError) return FAIL_OPEN;
    throw error; // a wrong key or address: mend it
  }
}

const { ENTITLED_URL = "http://127.0.0.1:8080/graphql", ENTITLED_API_KEY = "" } = process.env;
const [workspaceId = "", featureKey = ""] = process.argv.slice(2);
const entitled = new Entitled(ENTITLED_URL, ENTITLED_API_KEY);
console.log((await mayUse(entitled, workspaceId, featureKey)) ? "allowed" : "denied");
