// The admin around an app's page: gives it session tokens of whoever is signed in here. Loaded before the frame, which asks at once.
addEventListener("message", async (event) => {
  const frame = document.querySelector("iframe");
  if (event.source !== frame.contentWindow || event.origin !== frame.dataset.origin || event.data?.type !== "want-id-token") return;
  const answer = await fetch(frame.dataset.tokens, { method: "POST" });
  const token = answer.ok ? (await answer.json()).token : null;
  event.source.postMessage({ type: "id-token", number: event.data.number, token }, event.origin);
});
