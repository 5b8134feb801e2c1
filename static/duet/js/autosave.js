// Keeps what is answered a moment after it was, so that a lost connection or a closed tab loses nothing. Nothing is
// stored in the browser. Without this module the page's own buttons keep it. Markup: intake/page.html.
const PAUSE = 800; // ms after the last key
const AGAIN = [2000, 5000, 10000, 30000]; // ms until the next try

const watch = (form) => {
  const state = form.querySelector("[data-saving]");
  const help = form.querySelector("[data-help]");
  let timer = 0;
  let tries = 0;
  let going = false; // one at a time: the next one carries the revision of this one
  let changed = false;
  let ended = false;

  const say = (what) => {
    const text = what ? state.dataset[what] : "";
    if (state.textContent !== text) state.textContent = text;
  };

  const showHelp = () => {
    const lines = document.querySelector("aside.help");
    if (!help?.hidden) return;
    help.hidden = false;
    if (lines) help.append(lines);
    const said = help.querySelector("[data-help-said]");
    said.textContent = said.dataset.text;
    // The page after Next need not show it again.
    const seen = document.createElement("input");
    Object.assign(seen, { type: "hidden", name: "helped", value: "yes" });
    form.append(seen);
  };

  const take = (status, told) => {
    if (told.revision) form.elements.revision.value = told.revision;
    if (told.help) showHelp();
    if (status === 200) return say(told.saved ? "saved" : "");
    ended = told.closed === true || told.conflicts?.length > 0;
    say(told.closed ? "closed" : told.conflicts?.length ? "elsewhere" : "wrong");
  };

  const save = async () => {
    if (going || ended) return;
    going = true;
    changed = false;
    try {
      const answer = await fetch(form.dataset.autosave, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
        redirect: "error",
      });
      if (answer.status === 404 || answer.status === 403) {
        ended = true;
        say("over");
      } else if (answer.status >= 500 || answer.status === 429) throw new Error("again");
      else if (answer.headers.get("Content-Type")?.startsWith("application/json")) {
        tries = 0;
        take(answer.status, await answer.json());
      } else say("wrong");
    } catch {
      say("notYet");
      changed = true;
    }
    going = false;
    if (changed && !ended) plan(AGAIN[Math.min(tries++, AGAIN.length - 1)]);
  };

  const plan = (pause) => {
    clearTimeout(timer);
    timer = setTimeout(save, pause);
  };

  form.addEventListener("input", (event) => {
    changed = true;
    say("");
    if (!going) plan(event.target.matches("textarea, input:not([type=radio], [type=checkbox])") ? PAUSE : 0);
  });
  // What is sent now is the page itself: nothing of before may come after it.
  form.addEventListener("submit", () => {
    ended = true;
    clearTimeout(timer);
  });
  addEventListener("online", () => changed && plan(0));
  // A page that Back brings up again may be older than what is kept.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
};

const count = (area) => {
  const left = document.getElementById(`${area.id}_count`);
  const most = Number(area.dataset.counts);
  const words = left.textContent;
  const show = () => {
    const more = most - [...area.value].length;
    left.textContent = area.value ? `${more.toLocaleString(document.documentElement.lang)} ${left.dataset.left}` : words;
  };
  area.addEventListener("input", show);
  show();
};

document.querySelectorAll("form[data-autosave]").forEach(watch);
document.querySelectorAll("textarea[data-counts]").forEach(count);
