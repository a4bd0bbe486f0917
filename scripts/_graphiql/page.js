// The page: asks for an API key, keeps it in this variable's closure and nowhere else, and starts GraphiQL with it.

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { createClient } from "graphql-ws";
import { createElement, useState } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";

const API = new URL("graphql", window.location.href);
const LIVE = new URL(API);
LIVE.protocol = API.protocol.replace("http", "ws");

const EXAMPLE = `# Control and Enter run the operation in which the cursor is.

query Status {
  syncStatus {
    cache { ready records workspaces }
    workers { name state }
  }
}

query Check {
  checkEntitlement(
    input: { workspaceId: "acme", featureKey: "api_calls" }
  ) {
    entitlement { hasAccess accessDeniedReason validUntil }
  }
}

subscription Follow {
  entitlementsChanged(workspaceId: "acme") {
    version
    entitlements { featureKey hasAccess }
  }
}
`;

/** Send without what the browser would add by itself: this page's Basic credentials among it. */
function send(url, options) {
  return fetch(url, { ...options, credentials: "omit" });
}

/** Return why the service does not take the key; null where it does. */
async function refusal(authorization) {
  const response = await send(API, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ query: "{ __schema { queryType { name } } }" }),
  });
  const { errors } = await response.json();
  return errors ? errors[0].message : null;
}

function fetcherFor(authorization) {
  return createGraphiQLFetcher({
    url: API.href,
    headers: { authorization },
    fetch: send,
    enableIncrementalDelivery: false,
    wsClient: createClient({ url: LIVE.href, connectionParams: { authorization }, retryAttempts: 3 }),
  });
}

function KeyForm({ onKey }) {
  const [problem, setProblem] = useState(null);
  async function submit(event) {
    event.preventDefault();
    const authorization = `Bearer ${new FormData(event.target).get("key").trim()}`;
    const found = await refusal(authorization).catch((error) => `the service did not answer: ${error.message}`);
    if (found === null) onKey(authorization);
    else setProblem(found);
  }
  return createElement(
    "form",
    { className: "key-form", onSubmit: submit },
    createElement("label", { htmlFor: "key" }, "API key"),
    createElement("input", { id: "key", name: "key", type: "password", autoComplete: "off", autoFocus: true, required: true }),
    createElement("button", null, "Open"),
    createElement("p", { role: "alert" }, problem ?? "It stays in this page's memory and is gone with the page."),
  );
}

function Page() {
  const [fetcher, setFetcher] = useState(null);
  if (fetcher === null) return createElement(KeyForm, { onKey: (key) => setFetcher(() => fetcherFor(key)) });
  return createElement(GraphiQL, {
    fetcher,
    defaultQuery: EXAMPLE,
    isHeadersEditorEnabled: false,
    showPersistHeadersSettings: false,
    storage: window.sessionStorage,
  });
}

createRoot(document.getElementById("page")).render(createElement(Page));
