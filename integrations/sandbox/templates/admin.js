// The admin around an app's page: gives it session tokens of whoever is signed in here.
const frame = document.querySelector("iframe");
addEventListener("message", async (event) => {
  if (event.source !== frame.contentWindow || event.origin !== frame.dataset.origin || event.data?.type !== "want-id-token") return;
  const answer = await fetch(frame.dataset.tokens, { method: "POST" });
  const token = answer.ok ? (await answer.json()).token : null;
  event.source.postMessage({ type: "id-token", number: event.data.number, token }, event.origin);
});
