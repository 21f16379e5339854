// What spares a page its reloads. Everything here has a twin that works without it: links are links, forms are forms.

const words = document.body.dataset;
const parser = new DOMParser();
const due = new Map(); // id of a polled element -> when it is asked for next
let swapping = null; // the swap under way; a later one ends it
let posted = Promise.resolve(); // posts of one order after the other, the newest last

const say = (text) => { document.getElementById("said").textContent = text; };
const isPlain = (event) => event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);

/** Another page of ours as a document; null if it is none, or lies elsewhere (somebody was signed out). */
async function load(url, signal) {
  const answer = await fetch(url, { signal, headers: { accept: "text/html" } });
  const isPage = answer.ok && (answer.headers.get("content-type") ?? "").startsWith("text/html");
  const isThere = new URL(answer.url).pathname === new URL(url, location.href).pathname;
  return isPage && isThere ? parser.parseFromString(await answer.text(), "text/html") : null;
}

/** Put `fresh` where `old` is; what had the focus there has it again. */
function replace(old, fresh) {
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const place = held && [held.selectionStart, held.selectionEnd];
  old.replaceWith(fresh);
  settle(fresh);
  if (!held) return;
  const kin = [...fresh.querySelectorAll(held.tagName)];
  const isLike = (name) => kin.find((one) => held[name] && one[name] === held[name] && (one.type !== "radio" || one.value === held.value));
  const twin = isLike("id") ?? isLike("outerHTML") ?? isLike("name") ?? isLike("textContent");
  (twin ?? Object.assign(fresh, { tabIndex: -1 })).focus({ preventScroll: true });
  if (twin && place?.[0] != null) twin.setSelectionRange(...place);
}

// ---------------------------------------------------------------- data-swap="#id": a part of the page, by its own address

async function swap(url, selector, { isNew = true } = {}) {
  swapping?.abort();
  const mine = swapping = new AbortController();
  const old = document.querySelector(selector);
  old?.setAttribute("aria-busy", "true");
  try {
    const page = await load(url, mine.signal);
    const fresh = page?.querySelector(selector);
    if (!fresh || !old) { location.assign(url); return; }
    if (!old.closest("dialog")) {
      if (isNew) history.replaceState({ isOurs: true }, "");
      if (isNew && new URL(url, location.href).href !== location.href) history.pushState({ isOurs: true }, "", url);
      document.title = page.title;
    }
    replace(old, document.adoptNode(fresh));
    say(fresh.dataset.said || page.title);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

function addressOf(form, button) {
  const fields = [...new FormData(form, button)].filter(([, value]) => value !== "");
  const url = new URL(form.getAttribute("action") || location.pathname, location.href);
  url.search = new URLSearchParams(fields).toString();
  return url.href;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.swap) { event.preventDefault(); swap(addressOf(form, event.submitter), form.dataset.swap); }
  if ("sort" in form.dataset && event.submitter) { event.preventDefault(); moveBy(form, event.submitter); }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-swap] :is(select, [type=checkbox], [type=radio])")) event.target.form.requestSubmit();
});
// Back and forward: the whole page as its address says, since fields and links around the part belong to it.
window.addEventListener("popstate", (event) => { if (event.state?.isOurs) swap(location.href, "#main", { isNew: false }); });

// ---------------------------------------------------------------- data-poll="seconds": fresh without asking

async function poll(id, seconds) {
  due.set(id, Date.now() + seconds * 1000);
  try {
    const fresh = (await load(location.href))?.getElementById(id);
    const old = document.getElementById(id); // it may have changed meanwhile
    if (fresh && old && isIdle(old) && !fresh.isEqualNode(old)) replace(old, document.adoptNode(fresh));
  } catch { /* the next one may come through */ }
}
const isIdle = (element) => !document.hidden && !element.contains(document.activeElement) && !document.querySelector("dialog[open]");
setInterval(() => {
  for (const element of document.querySelectorAll("[data-poll][id]")) {
    const seconds = Number(element.dataset.poll) || 10;
    if (!due.has(element.id)) due.set(element.id, Date.now() + seconds * 1000);
    if (Date.now() >= due.get(element.id) && isIdle(element)) poll(element.id, seconds);
  }
}, 1000);

// ---------------------------------------------------------------- a[data-panel], a[data-dialog]: a page beside or above this one

async function open(link) {
  const page = await load(link.href).catch(() => null), main = page?.querySelector("main");
  if (!main) { location.assign(link.href); return; }
  for (const form of main.querySelectorAll("form:not([action])")) form.setAttribute("action", link.href);
  for (const near of main.querySelectorAll('a[href^="?"]')) near.href = new URL(near.getAttribute("href"), link.href).href;
  const dialog = link.closest("dialog") ?? document.createElement("dialog"), opener = document.activeElement;
  const shut = Object.assign(document.createElement("button"), { className: "plain shut", ariaLabel: words.closeText, textContent: "✕" });
  shut.dataset.close = "";
  const content = Object.assign(document.createElement("div"), { className: "content" });
  content.append(...main.childNodes);
  dialog.replaceChildren(shut, content);
  dialog.setAttribute("aria-label", content.querySelector("h1")?.textContent.trim() || page.title);
  settle(content);
  if (dialog.isConnected) return;
  dialog.className = "panel" in link.dataset ? "panel" : "modal";
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { dialog.remove(); (opener?.isConnected ? opener : document.getElementById("main")).focus(); });
  document.body.append(dialog);
  dialog.showModal(); // the rest is inert, Escape closes, the focus stays inside
}

const acts = {
  swap: (link) => swap(link.href, link.dataset.swap), panel: open, dialog: open, copy, shut: (link) => link.closest("dialog").close(),
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href], button");
  if (!link || !isPlain(event) || event.defaultPrevented) return;
  const isShut = "close" in link.dataset && link.closest("dialog");
  const name = isShut ? "shut" : Object.keys(acts).find((one) => one in link.dataset);
  if (name) { event.preventDefault(); acts[name](link); }
});

async function copy(button) {
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
  say(button.textContent = words.copiedText);
}

// ---------------------------------------------------------------- form[data-sort]: an order by drag, or by its buttons

function post(form) {
  form.elements.order.value = [...form.querySelectorAll("li")].map((item) => item.dataset.id).join();
  const body = new URLSearchParams(new FormData(form));
  posted = posted.then(() => fetch(form.action, { method: "POST", body }))
    .then((answer) => answer.ok || location.reload(), () => say(words.failedText));
}
function told(item) {
  const items = [...item.parentElement.children];
  say(words.movedText.replace("{place}", items.indexOf(item) + 1).replace("{count}", items.length));
}
function moveBy(form, button) {
  const item = button.closest("li");
  const isUp = button.name === "up";
  const beside = isUp ? item.previousElementSibling : item.nextElementSibling;
  if (!beside) return;
  if (isUp) beside.before(item); else beside.after(item);
  const twin = item.querySelector(`[name=${isUp ? "down" : "up"}]`);
  (getComputedStyle(button).visibility === "hidden" ? twin : button).focus();
  told(item);
  post(form);
}
document.addEventListener("pointerdown", (event) => {
  const item = event.target.closest(".grip")?.closest("li");
  if (!item || event.button !== 0) return;
  event.preventDefault();
  const form = item.closest("form");
  const before = item.previousElementSibling;
  const follow = ({ clientY }) => {
    const other = [...item.parentElement.children].find((one) => {
      const { top, bottom } = one.getBoundingClientRect();
      return one !== item && clientY > top && clientY < bottom;
    });
    const box = other?.getBoundingClientRect();
    if (box) other[clientY < box.top + box.height / 2 ? "before" : "after"](item);
  };
  const drop = () => {
    document.removeEventListener("pointermove", follow);
    item.classList.remove("held");
    if (item.previousElementSibling !== before) { told(item); post(form); }
  };
  item.classList.add("held");
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerup", drop, { once: true });
  document.addEventListener("pointercancel", drop, { once: true });
});

// ---------------------------------------------------------------- at the start, and for every part that comes later

function settle(part) {
  for (const one of part.querySelectorAll("[data-copy]")) one.hidden = !navigator.clipboard;
  for (const one of part.querySelectorAll("[data-sort]")) one.classList.add("draggable");
}
function fade(toast) {
  if (toast.matches(":hover, :focus-within")) { setTimeout(fade, 1000, toast); return; }
  toast.classList.add("gone");
  setTimeout(() => toast.remove(), 400);
}
for (const toast of document.querySelectorAll(".toast")) setTimeout(fade, 6000, toast);
const menu = document.querySelector("details.self"); // it closes by Escape and by a click elsewhere
document.addEventListener("click", (event) => { if (menu && !menu.contains(event.target)) menu.open = false; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu?.open) { menu.open = false; menu.querySelector("summary").focus(); }
});
settle(document);
const here = new URL(location.href); // what was just done is said once, not again after a reload
if (here.searchParams.has("done")) { here.searchParams.delete("done"); history.replaceState(null, "", here.href); }
