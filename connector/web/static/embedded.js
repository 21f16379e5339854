// The page inside Shopify's admin. Shopify's own script, loaded before this one, proves who asks: shopify.idToken().

const words = document.body.dataset, said = document.getElementById("said");
const LONGEST = 10_000;

// What Shopify put into the address to open the page is of no more use, and nobody's to see.
const here = new URL(location.href);
for (const name of ["id_token", "session", "hmac", "timestamp"]) here.searchParams.delete(name);
history.replaceState(null, "", here.href);

class Unproven extends Error {}

async function token() {
  if (!globalThis.shopify?.idToken) throw new Unproven();
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Unproven()), LONGEST); });
  try { return await Promise.race([shopify.idToken(), late]); } catch { throw new Unproven(); } finally { clearTimeout(timer); }
}

// A token lives for a minute, and clocks differ: one that is refused is asked for anew, once.
async function ask(name, body) {
  const url = `/embedded/shopify/${name}?locale=${document.documentElement.lang}`;
  for (let turn = 0; turn < 2; turn++) {
    const headers = { authorization: `Bearer ${await token()}`, "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
    if (answer.status !== 401) return answer;
  }
  throw new Unproven();
}

function show(fresh) {
  const old = document.getElementById("inside"), doing = document.activeElement?.dataset?.do;
  old.replaceWith(fresh);
  const same = { on: "off", off: "on" }[doing] ?? doing;
  (fresh.querySelector(`[data-do="${same}"]`) ?? fresh.querySelector(`[data-do="${doing}"]`))?.focus();
  said.textContent = [...fresh.querySelectorAll("#switch-title, #switch-title + .tag")].map((one) => one.textContent).join(": ");
}

function complain(text) {
  const inside = document.getElementById("inside"), note = document.createElement("div"), line = document.createElement("p");
  inside.removeAttribute("aria-busy");
  inside.querySelectorAll(".note.failed, .scripted").forEach((one) => one.remove());
  note.className = "note bad failed";
  note.setAttribute("role", "alert");
  line.textContent = text;
  note.append(line);
  inside.prepend(note);
}

async function inside(name, body) {
  const page = new DOMParser().parseFromString(await (await ask(name, body)).text(), "text/html");
  const fresh = page.getElementById("inside");
  if (!fresh) throw new Error();
  show(document.adoptNode(fresh));
}

async function enter() {
  const answer = await ask("codes");
  if (!answer.ok) throw new Error();
  const form = document.getElementById("entrance");
  form.elements.code.value = (await answer.json()).code;
  form.submit();
}

const acts = {
  opening: () => inside("opening"),
  on: () => inside("automation", { is_on: true }),
  off: () => inside("automation", { is_on: false }),
  entrance: enter,
};
let isBusy = false;

async function act(name) {
  if (isBusy) return;
  isBusy = true;
  document.getElementById("inside").setAttribute("aria-busy", "true");
  try { await acts[name](); } catch (error) { complain(error instanceof Unproven ? words.unprovenText : words.failedText); }
  document.getElementById("inside").removeAttribute("aria-busy");
  isBusy = false;
}

document.addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (name) act(name);
});
act("opening");
