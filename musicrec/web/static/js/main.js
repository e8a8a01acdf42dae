/** Starts the page: who is here, the views by their addresses, and what is on all of them. */

import { answers, listen, tell } from "./api.js";
import { h, show } from "./dom.js";
import { dropZone } from "./dropped_files.js";
import { followRunningJobs } from "./jobs.js";
import { startPlayerBar } from "./player_bar.js";
import { startShortcuts } from "./shortcuts.js";
import { isEmpty, readLibrary, readSession, store } from "./store.js";
import { report } from "./toast.js";
import { startTools } from "./tools.js";
import { VIEWS } from "./views.js";

const chooseUser = async (options) => (await import("./users.js")).chooseUser(options);

const view = document.getElementById("view");
let leave = new AbortController();
let shown = null;

/** Show the view that the address names. What it listens to ends with its signal. */
async function route() {
  const [name, text = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const chosen = VIEWS[name] ? name : "find";
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#/${chosen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[chosen].title} · musicrec`;
  try {
    const { mount } = await VIEWS[chosen].load();
    if (signal.aborted) return;
    const moved = shown !== null && shown !== chosen;
    const again = shown === chosen && view.contains(document.activeElement);
    shown = chosen;
    view.dataset.view = chosen;
    view.replaceChildren();
    if (moved) {
      view.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    await mount(view, { signal, params: new URLSearchParams(text) });
    if (again && document.activeElement === document.body) {
      (view.querySelector("[aria-current=page]") ?? view).focus({ preventScroll: true });
    }
  } catch (error) {
    if (!signal.aborted) report(error);
  }
}

function watchServer() {
  const banner = document.getElementById("offline");
  let waiting = 0;
  listen("offline", () => {
    if (waiting) return;
    show(banner, "The server does not answer. Start it again with ", h("code", { text: "musicrec serve" }),
      "; this page goes on by itself.");
    banner.hidden = false;
    waiting = setInterval(async () => {
      if (await answers() && waiting) {
        if (!store.session) location.reload(); // it was silent from the beginning
        tell("online");
        await readLibrary().catch(report);
        route();
      }
    }, 3000);
  });
  listen("online", () => {
    clearInterval(waiting);
    waiting = 0;
    banner.hidden = true;
  });
}

function showNavigation() {
  show(document.querySelector(".views"), Object.entries(VIEWS).map(([name, { title }]) => h("a", { href: `#/${name}`, text: title })));
}

async function start() {
  showNavigation();
  watchServer();
  startPlayerBar(document.getElementById("player"));
  startShortcuts();
  dropZone(document.body);
  document.querySelector(".skip-link").addEventListener("click", (event) => {
    event.preventDefault();
    view.focus();
  });
  const opening = setTimeout(() => show(view, h("p", { class: "empty-note", role: "status", text: "Opening the library…" })), 400);
  try {
    const session = await readSession();
    startTools(document.getElementById("tools"));
    if (session.users && !session.user) await chooseUser({ must: true });
    await readLibrary();
  } catch (error) {
    report(error);
  }
  clearTimeout(opening);
  if (!store.session) return; // the banner says so
  let asking = false;
  listen("signed out", async () => { // a session ended, or somebody else signed out in another tab
    if (asking || !store.session?.users) return;
    asking = true;
    await readSession().then(({ user }) => user || chooseUser({ must: true })).catch(report);
    asking = false;
  });
  listen("user", () => readLibrary().then(route, report));
  addEventListener("hashchange", route);
  let empty = isEmpty();
  listen("library", () => { // the first tracks are there: views that said how to begin show them
    if (empty && !isEmpty()) route();
    empty = isEmpty();
  });
  await route();
  await followRunningJobs();
}

start();
