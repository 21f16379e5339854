// The editor of offers.

// ---------------------------------------------------------------- form[data-ready]: no publishing before there is a code (SH-10)

function ready(form) {
  const button = form.querySelector("[data-needs-code]"), fields = new FormData(form);
  const code = { new: fields.get("code"), existing: fields.get("chosen"), unique: "made" }[fields.get("mode")] ?? "";
  if (button) button.disabled = "never" in button.dataset || !code.trim();
}
for (const name of ["input", "change"]) {
  document.addEventListener(name, (event) => { if (event.target.form && "ready" in event.target.form.dataset) ready(event.target.form); });
}
// What was chosen before this script was there, or was restored by the browser.
addEventListener("pageshow", () => document.querySelectorAll("form[data-ready]").forEach(ready));
