// Keeps what is answered a moment after it was, so that a lost connection or a closed tab loses nothing. Nothing is
// stored in the browser. Without this module the page's own buttons keep it. Markup: intake/page.html.
const PAUSE = 800; // ms after the last key
const LONGEST = 4000; // ms that Next waits for what is on its way
const AGAIN = [2000, 5000, 10000, 30000]; // ms until the next try

const watch = (form) => {
  const state = form.querySelector("[data-saving]");
  const help = form.querySelector("[data-help]");
  let timer = 0;
  let tries = 0;
  let going = null; // one at a time: the next one carries the revision of this one
  let unanswered = null;
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
    // After a conflict the page stays what it was: an older one, whose person is to choose.
    if (told.revision && !told.conflicts?.length) form.elements.revision.value = told.revision;
    if (told.help) showHelp();
    if (status === 200) return say(told.saved ? "saved" : "");
    ended = told.closed === true || told.conflicts?.length > 0;
    say(told.closed ? "closed" : told.conflicts?.length ? "elsewhere" : "wrong");
  };

  const send = async () => {
    // After a lost answer the same is sent again: it may have arrived, and then it changes nothing.
    unanswered ??= new URLSearchParams(new FormData(form)).toString();
    const answer = await fetch(form.dataset.autosave, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" },
      body: unanswered,
      redirect: "error",
    });
    if (answer.status >= 500 || answer.status === 429) throw new Error("again");
    unanswered = null;
    tries = 0;
    if (answer.headers.get("Content-Type")?.startsWith("application/json")) take(answer.status, await answer.json());
    else {
      ended = answer.status === 404 || answer.status === 403;
      say(ended ? "over" : "wrong");
    }
  };

  const save = async () => {
    changed &&= unanswered !== null;
    try {
      await send();
    } catch {
      say("notYet");
      changed = true;
    }
    going = null;
    if (changed && !ended) plan(AGAIN[Math.min(tries++, AGAIN.length - 1)]);
  };

  const start = () => {
    if (!ended) going ??= save();
    return going;
  };

  const plan = (pause) => {
    clearTimeout(timer);
    timer = setTimeout(start, pause);
  };

  form.addEventListener("input", (event) => {
    changed = true;
    say("");
    const typed = event.target.matches("textarea, input:not([type=radio], [type=checkbox])");
    if (!going && !unanswered) plan(typed ? PAUSE : 0);
  });
  // The page itself goes after what is on its way, or it would seem to come from elsewhere.
  form.addEventListener("submit", async (event) => {
    clearTimeout(timer);
    if (!going && !unanswered) {
      ended = true;
      return;
    }
    event.preventDefault();
    changed = false;
    await Promise.race([start(), new Promise((done) => setTimeout(done, LONGEST))]);
    clearTimeout(timer);
    ended = true;
    going = unanswered = null;
    form.requestSubmit(event.submitter);
  });
  addEventListener("online", () => (changed || unanswered) && plan(0));
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
