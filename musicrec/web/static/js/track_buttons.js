/** What can be done with a track: its buttons, its menu, and the keys for the row in focus. */

import { listen } from "./api.js";
import { addToPlaylist, dislike, like, pair, rate, skip } from "./feedback.js";
import { addSeed, useAsQuery } from "./query_state.js";
import { h, iconButton, show } from "./dom.js";
import { trackName } from "./format.js";
import { icon } from "./icons.js";
import { player, toggle } from "./player.js";
import { shortcut } from "./shortcuts.js";
import { opinionOf } from "./store.js";

const rows = new WeakMap(); // {element: {track, options}}

/** Make an element the row of a track: its keys act on it. */
export function bindRow(element, track, options = {}) {
  element.dataset.track = track.id;
  rows.set(element, { track, options });
  return element;
}

/** Return the track of the row in focus, or what plays; null if there is neither. */
export function trackInFocus() {
  const row = document.activeElement?.closest?.("[data-track]");
  return (row && rows.get(row)) || (player.track ? { track: player.track, options: {} } : null);
}

/** Return the five stars of a track. */
export function stars(track) {
  const box = h("span", { class: "stars", role: "group", "aria-label": `Rating of ${trackName(track)}` });
  const update = () => {
    const given = opinionOf(track.id).rating ?? 0;
    show(box, [1, 2, 3, 4, 5].map((number) => iconButton(icon(number <= given ? "starred" : "star"), `${number} star${number > 1 ? "s" : ""}`,
      () => rate(track, number), { "aria-pressed": String(number === given), class: number <= given ? "on" : "" })));
  };
  update();
  listen("opinion", ({ id }) => { if (id === track.id) update(); });
  return box;
}

/**
 * Return the buttons of a track.
 * @param {object} track Its row.
 * @param {{small?: boolean, after?: object, onskip?: function}} [options] `small` leaves out the menu; `after` is the
 *   query that it answers.
 */
export function trackButtons(track, { small = false, after = null } = {}) {
  const liked = iconButton(icon("like"), "", () => like(track), { class: "like" });
  const never = iconButton(icon("never"), `Never again: ${trackName(track)}`, () => dislike(track), { class: "never" });
  const update = () => {
    const { opinion } = opinionOf(track.id);
    show(liked, icon(opinion === "like" ? "liked" : "like"));
    liked.setAttribute("aria-pressed", String(opinion === "like"));
    liked.setAttribute("aria-label", `Like: ${trackName(track)}`);
    liked.title = "Like";
    never.setAttribute("aria-pressed", String(opinion === "dislike"));
    never.title = "Never again";
  };
  update();
  const stop = new AbortController();
  listen("opinion", ({ id }) => {
    if (!liked.isConnected) stop.abort();
    else if (id === track.id) update();
  }, stop.signal);
  if (small) return [liked, iconButton(icon("add"), `Add to playlist: ${trackName(track)}`, () => addToPlaylist([track]), { class: "wide-only" })];
  return [liked,
    after && iconButton(icon("skip"), `Not now: ${trackName(track)}`, () => skip(track, after), { class: "skip" }),
    never, menuButton(track, { after })];
}

function menuButton(track, { after }) {
  const name = trackName(track);
  const items = [
    ["Like", () => like(track)],
    ["Never again", () => dislike(track)],
    ["Use as query", () => useAsQuery(track)],
    ["Add as another seed", () => addSeed(track)],
    ["Unlike: fewer like this", () => addSeed(track, "unlike")],
    ["Add to playlist…", () => addToPlaylist([track])],
    after && ["Not now", () => skip(track, after)],
    after && [`Works after ${trackName(after)}`, () => pair(after, track)],
    ["Begin a set with it", () => { location.hash = `#/sets?start=${encodeURIComponent(track.id)}`; }],
  ].filter(Boolean);
  const button = iconButton(icon("more"), `More for ${name}`, () => openMenu(button, items, stars(track)), { "aria-haspopup": "menu" });
  return button;
}

/** Open a menu below a button. */
export function openMenu(button, items, above = null) {
  const close = () => { menu.remove(); removeEventListener("pointerdown", outside, true); };
  const outside = (event) => { if (!menu.contains(event.target)) close(); };
  const menu = h("div", { class: "menu" }, above,
    h("div", { role: "menu", "aria-label": button.getAttribute("aria-label") }, items.map(([text, run]) =>
      h("button", { type: "button", role: "menuitem", text, tabindex: -1, onclick: () => { close(); button.focus(); run(); } }))));
  menu.addEventListener("keydown", (event) => {
    const all = [...menu.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) all.at((at + by) % all.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") { close(); button.focus(); } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.getElementById("view").append(menu);
  const { left, bottom, top, right } = button.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8, right - menu.offsetWidth))}px`;
  menu.style.top = `${bottom + menu.offsetHeight + 8 > innerHeight ? Math.max(8, top - menu.offsetHeight - 4) : bottom + 4}px`;
  menu.querySelector("[role=menuitem]").focus();
  addEventListener("pointerdown", outside, true);
  addEventListener("hashchange", close, { once: true });
}

/** Give the row in focus its keys. */
function startKeys() {
  const on = (keys, text, act) => shortcut(keys, "Track in focus, or playing", text, () => {
    const found = trackInFocus();
    if (!found) return false;
    act(found.track, found.options);
    return true;
  });
  on("Enter", "Play", (track, { play }) => (play ? play() : toggle(track)));
  on("l", "Like", (track) => like(track));
  on("x", "Not now", (track, { after }) => skip(track, after ?? null));
  on("d", "Never again", (track) => dislike(track));
  for (const number of [1, 2, 3, 4, 5]) on(String(number), number === 1 ? "Rate with stars" : "", (track) => rate(track, number));
  on("p", "Add to a playlist", (track) => addToPlaylist([track]));
  on("q", "Use as query", (track) => useAsQuery(track));
  on("a", "Add as another seed", (track) => addSeed(track));
  on("u", "Unlike: fewer like this", (track) => addSeed(track, "unlike"));
}

startKeys();
