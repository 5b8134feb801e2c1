// A hold ends when its holder comes back to the times by the browser's Back (law 2): the time is given
// back for them. Without this module the page says what is held, and offers the button.
const giveBack = async (url) => {
  const form = new FormData();
  form.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "");
  try {
    await fetch(url, { method: "POST", body: form, redirect: "manual" });
  } finally {
    location.reload();
  }
};

addEventListener("pageshow", (event) => {
  const [visit] = performance.getEntriesByType("navigation");
  const times = document.querySelector("[data-release]");
  // A page that the browser kept may be older than the hold and not show it: ask in any case.
  const back = event.persisted || (visit?.type === "back_forward" && "held" in (times?.dataset ?? {}));
  if (times && back) giveBack(times.dataset.release);
});
