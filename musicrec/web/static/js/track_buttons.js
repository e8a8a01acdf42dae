/** What can be done with a track: its buttons, its menu, and the keys for the row in focus. */

import { listen } from "./api.js";
import { addToPlaylist, dislike, like, pair, rate, skip } from "./feedback.js";
import { addSeed, useAsQuery } from "./query_state.js";
import { h, iconButton, show } from "./dom.js";
import { counted, trackName } from "./format.js";
import { icon } from "./icons.js";
import { player, toggle } from "./player.js";
import { shortcut } from "./shortcuts.js";
import { opinionOf } from "./store.js";

const rows = new WeakMap(); // {element: {track, options}}
const opinionated = new WeakMap(); // {element: what updates it}

/** Let an element show what is thought of a track. It is found in the page, so that one that has left it is forgotten. */
function showOpinion(element, track, update) {
  element.dataset.opinionOf = track.id;
  opinionated.set(element, update);
  update(opinionOf(track.id));
}
listen("opinion", ({ id }) => {
  for (const element of document.querySelectorAll(`[data-opinion-of="${CSS.escape(id)}"]`)) opinionated.get(element)(opinionOf(id));
});

/** Make an element the row of a track: its keys act on it. */
export function bindRow(element, track, options = {}) {
  element.dataset.track = track.id;
  rows.set(element, { track, options });
  return element;
}

/** Let an element be the row of no track any longer. */
export function unbindRow(element) {
  delete element.dataset.track;
  rows.delete(element);
}

/** Return the track of the row in focus, or what plays; null if there is neither. */
function trackInFocus() {
  const row = document.activeElement?.closest?.("[data-track]");
  return (row && rows.get(row)) || (player.track ? { track: player.track, options: {} } : null);
}

/** Return the five stars of a track. */
function stars(track) {
  const buttons = [1, 2, 3, 4, 5].map((number) =>
    iconButton(icon("star"), counted(number, "star"), () => rate(track, number)));
  const box = h("span", { class: "stars", role: "group", "aria-label": `Rating of ${trackName(track)}` }, buttons);
  showOpinion(box, track, ({ rating }) => buttons.forEach((button, i) => {
    const on = i < (rating ?? 0);
    show(button, icon(on ? "starred" : "star"));
    button.classList.toggle("on", on);
    button.setAttribute("aria-pressed", String(i + 1 === rating));
  }));
  return box;
}

/**
 * Return the buttons of a track.
 * @param {object} track Its row.
 * @param {{small?: boolean, after?: object, onskip?: function}} [options] `small` leaves out the menu; `after` is the
 *   query that it answers.
 */
export function trackButtons(track, { small = false, after = null } = {}) {
  const name = trackName(track);
  const liked = iconButton(icon("like"), `Like: ${name}`, () => like(track), { class: "like", title: "Like" });
  const never = iconButton(icon("never"), `Never again: ${name}`, () => dislike(track), { class: "never", title: "Never again" });
  showOpinion(liked, track, ({ opinion }) => {
    show(liked, icon(opinion === "like" ? "liked" : "like"));
    liked.setAttribute("aria-pressed", String(opinion === "like"));
    never.setAttribute("aria-pressed", String(opinion === "dislike"));
  });
  if (small) return [liked, iconButton(icon("add"), `Add to playlist: ${name}`, () => addToPlaylist([track]), { class: "wide-only" })];
  return [liked,
    after && iconButton(icon("skip"), `Not now: ${name}`, () => skip(track, after), { class: "skip" }),
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
  const button = iconButton(icon("more"), `More for ${name}`, () => openMenu(button, items, stars(track)), MENU_BUTTON);
  return button;
}

/** What a button that opens a menu says of itself. */
export const MENU_BUTTON = { "aria-haspopup": "menu", "aria-expanded": "false" };
let openedMenu = null; // {button, close}

/** Open a menu below a button, or close it. */
export function openMenu(button, items, above = null) {
  if (openedMenu?.button === button) {
    openedMenu.close();
    return;
  }
  openedMenu?.close();
  const opened = new AbortController();
  const close = () => {
    opened.abort();
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    openedMenu = null;
  };
  openedMenu = { button, close };
  button.setAttribute("aria-expanded", "true");
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
  addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target) && !button.contains(event.target)) close();
  }, { capture: true, signal: opened.signal });
  addEventListener("hashchange", close, { signal: opened.signal });
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
