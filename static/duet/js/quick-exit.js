// Leaves at once: covers the page, and goes out so that Back doesn't lead here. By the button, or by Shift three
// times within five seconds. Without this module the button is a plain link to the same place.
// Markup: components/_quick_exit.html.
const PRESSES = 3;
const WITHIN = 5000; // ms
const link = document.querySelector("[data-exit]");
const said = document.querySelector("[data-exit-said]");

const leave = () => {
  const cover = document.createElement("div");
  cover.className = "exit-cover";
  document.body.append(cover);
  document.title = "\u200b";
  location.replace(link.href);
};

let presses = [];
// A capital letter is typing, and no wish to leave.
let alone = false;
const press = (event) => {
  alone = event.key === "Shift" && (alone || !event.repeat);
  if (event.key !== "Shift") presses = [];
};
const count = (event) => {
  if (event.key !== "Shift" || !alone) return;
  alone = false;
  presses = [...presses.filter((at) => event.timeStamp - at < WITHIN), event.timeStamp];
  const left = PRESSES - presses.length;
  said.textContent = left === 2 ? said.dataset.two : left === 1 ? said.dataset.one : "";
  if (left <= 0) leave();
};

if (link) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
  addEventListener("keydown", press);
  addEventListener("keyup", count);
}
