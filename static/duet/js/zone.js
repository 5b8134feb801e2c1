// Offers the browser's own time zone where it differs from the one shown; never switches by itself.
// Markup: components/_zone.html.
const canonical = (zone) => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return zone; // a zone that this browser does not know
  }
};

const offerIn = (root) => {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const box of root.querySelectorAll("[data-zone]")) {
    const offer = box.querySelector("[data-zone-offer]");
    if (!here || !offer || canonical(here) === canonical(box.dataset.zone)) continue;
    offer.querySelector("[data-zone-name]").textContent = here.split("/").pop().replaceAll("_", " ");
    offer.querySelector("button").value = here;
    offer.hidden = false;
  }
};

offerIn(document);
document.addEventListener("htmx:load", (event) => offerIn(event.detail.elt.parentElement ?? document));
