/** The tracks of a set with the transitions between them: drag to reorder, lock, ban. */

import { keyPill } from "./camelot.js";
import { h, iconButton, show } from "./dom.js";
import { energyCell } from "./energy.js";
import { fixed, length } from "./format.js";
import { icon } from "./icons.js";
import { movable } from "./movable.js";
import { isPlaying, play, player, toggle } from "./player.js";
import { bindRow } from "./track_buttons.js";

const WEAK = 0.5; // a transition with a lower score is marked
const HEARD_S = 15; // of a track, before the next one begins
const CLASH = 0.3; // and one whose keys or tempi hardly go together, whatever makes up for it

/** Return the row of a track of a set, for the player. */
export const rowOfSetTrack = (track) => ({ ...track, title: track.name, artist: null });

/** Play the end of a track of a set, after which the next one begins. */
function hear(rows, i) {
  const { duration_s: whole } = rows[i];
  play(rows[i], { queue: rows, from: whole ? Math.max(0, 1 - HEARD_S / whole) : 0 });
}

function transitionRow(transition, rows, i) {
  const axes = Object.entries(transition.axes).map(([name, score]) => `${name} ${score === null ? "unknown" : fixed(score, 2)}`).join(", ");
  const clash = ["key", "bpm"].some((name) => (transition.axes[name] ?? 1) < CLASH);
  return h("li", { class: `transition ${transition.score < WEAK || transition.filler ? "weak" : clash ? "clash" : ""}`, title: axes },
    h("span", { class: "score", "aria-label": `Transition ${fixed(transition.score, 2)}`, text: fixed(transition.score, 2) }),
    h("span", { class: "reason", text: `${transition.reason}${transition.filler ? " · filler" : ""}` }),
    iconButton(icon("play"), `Hear the end of ${rows[i].name}, then ${rows[i + 1].name}`, () => hear(rows, i)));
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
  const items = rows.map((row, i) => {
    const isLocked = locked.has(row.id);
    const playing = () => toggle(row, { queue: rows });
    const grip = iconButton(icon("grip"), `Move ${row.name}; arrow keys move it`, () => {}, { class: "grip" });
    const button = iconButton(icon("play"), `Play ${row.name}`, playing, { class: "play" });
    const element = h("li", { class: "set-track", tabindex: -1 }, grip, h("span", { class: "rank", text: i + 1 }), button,
      h("span", { class: "starts muted clock", text: length(row.starts_min * 60) }),
      h("div", { class: "names" }, h("strong", { text: row.name }), h("small", { class: "muted", text: row.genre ?? "" })),
      h("span", { class: "bpm", text: fixed(row.bpm) }), keyPill(row.camelot, row.key),
      energyCell(row.energy),
      h("div", { class: "row-buttons" },
        iconButton(icon(isLocked ? "lock" : "unlock"), `Lock ${row.name} at this place`, () => onlock(row),
          { "aria-pressed": String(isLocked), class: isLocked ? "on" : "" }),
        iconButton(icon("never"), `Not in this set: ${row.name}`, () => onban(row))));
    element.update = () => {
      show(button, icon(isPlaying(row.id) ? "pause" : "play"));
      element.classList.toggle("playing", player.track?.id === row.id);
    };
    element.update();
    movable(element, grip, { list, rows: ".set-track", name: row.name, done: (ids) => onorder(ids, row.id) });
    if (focus === row.id) queueMicrotask(() => grip.focus());
    return bindRow(element, row, { play: playing });
  });
  show(list, items.flatMap((item, i) => [item, made.transitions[i] && transitionRow(made.transitions[i], rows, i)]));
  list.update = () => { for (const item of items) item.update(); };
  return list;
}
