/** The tracks of a set with the transitions between them: drag to reorder, lock, ban. */

import { keyPill } from "./camelot.js";
import { h, iconButton, show } from "./dom.js";
import { energyCell } from "./energy.js";
import { fixed, length } from "./format.js";
import { icon } from "./icons.js";
import { isPlaying, player, toggle } from "./player.js";
import { announce } from "./toast.js";
import { bindRow } from "./track_buttons.js";

const WEAK = 0.5; // a transition with a lower score is marked

/** Return the row of a track of a set, for the player. */
export const rowOfSetTrack = (track) => ({ ...track, title: track.name, artist: null });

function transitionRow(transition) {
  const axes = Object.entries(transition.axes).map(([name, score]) => `${name} ${score === null ? "unknown" : fixed(score, 2)}`).join(", ");
  return h("li", { class: `transition ${transition.score < WEAK || transition.filler ? "weak" : ""}`, title: axes },
    h("span", { class: "score", "aria-label": `Transition ${fixed(transition.score, 2)}`, text: fixed(transition.score, 2) }),
    h("span", { class: "reason", text: `${transition.reason}${transition.filler ? " · filler" : ""}` }));
}

/**
 * Return the list.
 * @param {object} made The set.
 * @param {{locked: Set<string>, onorder: function(string[]), onlock: function(object), onban: function(object)}} options
 *   `onorder` receives ids in their new order.
 */
export function setList(made, { locked, onorder, onlock, onban, focus = null }) {
  const list = h("ol", { class: "set-list plain", "aria-label": "Tracks of the set" });
  const rows = made.tracks.map(rowOfSetTrack);
  const ids = rows.map((one) => one.id);
  const moveBy = (id, by) => {
    const at = ids.indexOf(id);
    const to = at + by;
    if (to < 0 || to >= ids.length) return;
    const next = [...ids];
    next.splice(to, 0, ...next.splice(at, 1));
    announce(`${rows[at].name}: place ${to + 1} of ${ids.length}`);
    onorder(next, id);
  };
  const items = rows.map((row, i) => {
    const isLocked = locked.has(row.id);
    const playing = () => toggle(row, { queue: rows });
    const grip = iconButton(icon("grip"), `Move ${row.name}; arrow keys move it`, () => {}, { class: "grip", onkeydown: (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      moveBy(row.id, by);
    } });
    const button = iconButton(icon("play"), `Play ${row.name}`, playing, { class: "play" });
    const element = h("li", { class: "set-track", tabindex: -1 }, grip, h("span", { class: "rank", text: i + 1 }), button,
      h("span", { class: "starts muted clock", text: length(row.starts_min * 60) }),
      h("div", { class: "names" }, h("strong", { text: row.name }), h("small", { class: "muted", text: row.genre ?? "" })),
      h("span", { class: "bpm", text: fixed(row.bpm) }), keyPill(row.camelot, row.key),
      energyCell(row.energy),
      h("div", { class: "row-buttons" },
        iconButton(icon(isLocked ? "lock" : "unlock"), `Lock ${row.name} at this place`, () => onlock(row), { "aria-pressed": String(isLocked), class: isLocked ? "on" : "" }),
        iconButton(icon("never"), `Not in this set: ${row.name}`, () => onban(row))));
    element.update = () => {
      show(button, icon(isPlaying(row.id) ? "pause" : "play"));
      element.classList.toggle("playing", player.track?.id === row.id);
    };
    element.update();
    drag(grip, element, list, () => {
      const next = [...list.querySelectorAll(".set-track")].map((one) => one.dataset.track);
      if (next.join() !== ids.join()) onorder(next, row.id);
    });
    if (focus === row.id) queueMicrotask(() => grip.focus());
    return bindRow(element, row, { play: playing });
  });
  show(list, items.flatMap((item, i) => [item, made.transitions[i] && transitionRow(made.transitions[i])]));
  list.update = () => { for (const item of items) item.update(); };
  return list;
}

/** Let a row be dragged by its grip; its neighbours make room. */
function drag(grip, element, list, done) {
  grip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grip.setPointerCapture(event.pointerId);
    list.classList.add("sorting"); // the transitions keep their room, so that nothing jumps
    element.classList.add("dragged");
    const move = ({ clientY }) => {
      const others = [...list.querySelectorAll(".set-track")];
      const at = others.indexOf(element);
      const middle = (one) => { const box = one.getBoundingClientRect(); return box.top + box.height / 2; };
      if (others[at - 1] && clientY < middle(others[at - 1])) element.after(others[at - 1]);
      else if (others[at + 1] && clientY > middle(others[at + 1])) element.before(others[at + 1]);
      if (clientY < 120) scrollBy(0, -14);
      else if (clientY > innerHeight - 140) scrollBy(0, 14);
    };
    const end = () => {
      grip.removeEventListener("pointermove", move);
      element.classList.remove("dragged");
      list.classList.remove("sorting");
      done();
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end, { once: true });
    grip.addEventListener("pointercancel", end, { once: true });
  });
}
