// Shows how long a hold still lasts. Screen readers hear of it twice: two minutes before its end, and then.
// The server alone decides whether the hold lives. Markup: components/_hold.html.
const SOON = 120;

const watch = (box) => {
  if (box.dataset.watched) return;
  box.dataset.watched = "yes";
  const left = box.querySelector("[data-hold-left]");
  const status = box.querySelector("[data-hold-status]");
  // Counted from here: the device's clock may be wrong, its pace is not.
  const ends = Date.now() + Number(box.dataset.holdSeconds) * 1000;
  const minutes = new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: "minute", unitDisplay: "long",
  });
  const say = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };
  const show = () => {
    if (!box.isConnected) return clearInterval(clock);
    const seconds = Math.round((ends - Date.now()) / 1000);
    if (left) left.textContent = seconds > 0 ? `(${minutes.format(Math.ceil(seconds / 60))})` : "";
    if (seconds <= 0) {
      say(box.dataset.over);
      box.querySelector("p").hidden = true; // "held until" is no longer so
      clearInterval(clock);
    } else if (seconds <= SOON) say(box.dataset.soon);
  };
  const clock = setInterval(show, 5000);
  show();
};

const watchIn = (root) => root.querySelectorAll("[data-hold-seconds]").forEach(watch);
watchIn(document);
document.addEventListener("htmx:load", (event) => watchIn(event.detail.elt.parentElement ?? document));
