// Keyboard shortcuts of the desk: "/" to the search field, "g" and a letter to a link with
// data-keys="g t", "?" to the list. They can be turned off there (WCAG 2.1.4).
const OFF = "duet-keys-off";
const list = document.querySelector(".keys");
const control = document.querySelector("[data-keys-switch]");
let before = "";

if (control) {
  control.checked = !localStorage.getItem(OFF);
  control.addEventListener("change", () => {
    if (control.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
  });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem(OFF)) return;
  const pressed = before === "g" ? `g ${event.key}` : event.key;
  before = event.key;
  if (pressed === "/") {
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
  } else if (pressed === "?" && list) {
    list.open = true;
    list.querySelector("summary").focus();
  } else {
    document.querySelector(`[data-keys="${CSS.escape(pressed)}"]`)?.click();
  }
});
