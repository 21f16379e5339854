// Stands for Shopify's App Bridge: as much of it as an app's page in the admin uses.
(() => {
  const key = document.querySelector("meta[name=shopify-api-key]")?.content;
  const query = new URL(location.href).searchParams, waiting = new Map();
  let last = 0;
  addEventListener("message", (event) => {
    if (event.source !== parent || event.data?.type !== "id-token") return;
    const { resolve, reject } = waiting.get(event.data.number) ?? {};
    waiting.delete(event.data.number);
    if (event.data.token) resolve?.(event.data.token); else reject?.(new Error("no session token"));
  });
  const idToken = () => new Promise((resolve, reject) => {
    if (!key || parent === self) { reject(new Error("not inside the admin")); return; }
    waiting.set(++last, { resolve, reject });
    parent.postMessage({ type: "want-id-token", number: last, key }, "*");
  });
  globalThis.shopify = { config: { apiKey: key, shop: query.get("shop"), host: query.get("host"), locale: query.get("locale") }, idToken };

  // Requests to the app itself carry a token, and are sent once more if the app asks for a fresh one.
  const plain = globalThis.fetch;
  globalThis.fetch = async (resource, options = {}) => {
    const headers = new Headers(options.headers), isOwn = new URL(resource.url ?? resource, location.href).origin === location.origin;
    if (!isOwn || headers.has("authorization")) return plain(resource, options);
    for (let turn = 0; ; turn++) {
      headers.set("authorization", `Bearer ${await idToken()}`);
      const answer = await plain(resource, { ...options, headers });
      if (turn || answer.status !== 401 || !answer.headers.has("x-shopify-retry-invalid-session-request")) return answer;
    }
  };
})();
