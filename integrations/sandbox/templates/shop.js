// What the real checkout pages send while somebody types: the block one tells the Store API, the classic one refreshes its review.
const form = document.querySelector("form[data-checkout]");
const isMail = (text) => /^\S+@\S+\.\S+$/.test(text);
let waiting;

function typed() {
  const value = (name) => (form.elements[name] ? form.elements[name].value.trim() : "");
  const [first, ...others] = value("name").split(" ");
  return { email: value("email"), phone: value("phone"), first_name: first, last_name: others.join(" ") };
}

function tellStoreApi() {
  fetch("/wp-json/wc/store/v1/cart/update-customer", {
    method: "POST",
    headers: { "content-type": "application/json", nonce: form.dataset.nonce },
    body: JSON.stringify({ billing_address: typed() }),
  });
}

function refreshReview() {
  const billing = Object.entries(typed()).map(([name, value]) => [`billing_${name}`, value]);
  const body = new URLSearchParams({ security: form.dataset.nonce, post_data: new URLSearchParams(billing).toString() });
  fetch("/?wc-ajax=update_order_review", { method: "POST", body });
}

if (form) {
  const isBlock = form.dataset.checkout === "block";
  form.addEventListener(isBlock ? "input" : "change", () => {
    clearTimeout(waiting);
    if (!isMail(typed().email)) return;
    waiting = setTimeout(isBlock ? tellStoreApi : refreshReview, isBlock ? 1500 : 0);
  });
}
