/** The bar at the bottom that plays on while one browses. */

import { isUpload, listen } from "./api.js";
import { keyPill } from "./camelot.js";
import { h, iconButton, show } from "./dom.js";
import { fixed, length, trackName } from "./format.js";
import { icon } from "./icons.js";
import { audio, isRunning, player, seek, seekBy, share, step, switchAB, toggle } from "./player.js";
import { shortcut } from "./shortcuts.js";
import { announce } from "./toast.js";
import { trackButtons } from "./track_buttons.js";

function sayAB() {
  const { compare, track } = player;
  if (compare) announce(track.id === compare.a.id ? `A, the query: ${trackName(track)}` : `B: ${trackName(track)}`);
}

/** Fill the bar, and give the player its keys. */
export function startPlayerBar(element) {
  const playing = iconButton(icon("play"), "Play", () => toggle(), { class: "play" });
  const ab = h("button", { type: "button", class: "ab", title: "Switch between query (A) and result (B), equally loud",
    onclick: () => { switchAB(); sayAB(); } });
  const title = h("div", { class: "now" });
  const opinions = h("div", { class: "now-buttons" });
  const clock = h("span", { class: "clock" });
  const whole = h("span", { class: "clock" });
  const slider = h("input", { type: "range", min: 0, max: 1000, value: 0, class: "seek", "aria-label": "Position in the track",
    oninput: () => seek(slider.value / 1000) });
  let shown;

  const time = () => {
    const at = share();
    if (document.activeElement !== slider || !slider.matches(":active")) slider.value = Math.round(at * 1000);
    slider.style.setProperty("--at", `${at * 100}%`);
    slider.setAttribute("aria-valuetext", `${length(audio.currentTime)} of ${length(audio.duration || player.track?.duration_s)}`);
    clock.textContent = length(audio.currentTime);
    whole.textContent = length(audio.duration || player.track?.duration_s);
  };
  const update = () => {
    const { track, compare } = player;
    element.classList.toggle("empty", !track);
    show(playing, icon(isRunning() ? "pause" : "play"));
    playing.title = isRunning() ? "Pause" : "Play";
    playing.setAttribute("aria-label", playing.title);
    ab.hidden = !compare;
    if (compare) {
      const isA = track.id === compare.a.id;
      show(ab, h("span", { class: isA ? "on" : "", text: "A" }), h("span", { class: isA ? "" : "on", text: "B" }));
      ab.setAttribute("aria-label", isA ? "Playing A, the query; switch to B" : "Playing B, the result; switch to A, the query");
    }
    if (track !== shown) {
      shown = track;
      show(title, track ? [
        h("strong", { text: track.title || track.name || track.track_id || "upload", title: trackName(track) }),
        h("span", { class: "muted", text: track.artist ?? "" }),
        h("span", { class: "facts" }, h("b", { class: "bpm", text: fixed(track.bpm, 1) }), keyPill(track.camelot, track.key)),
      ] : h("span", { class: "muted", text: "Nothing plays yet. Press play on any track." }));
      show(opinions, track && !isUpload(track.id) ? trackButtons(track, { small: true }) : []);
    }
    time();
  };
  show(element,
    h("div", { class: "controls" }, iconButton(icon("previous"), "Previous track", () => step(-1), { class: "wide-only" }), playing,
      iconButton(icon("next"), "Next track", () => step(1)), ab),
    title,
    h("div", { class: "timeline" }, clock, slider, whole),
    opinions);
  listen("player", update);
  listen("time", time);
  update();

  shortcut("Space", "Player", "Play or pause", () => { toggle(); });
  shortcut("n", "Player", "Next track", () => { step(1); });
  shortcut("b", "Player", "A/B: query or result, equally loud, at the same place", () => { switchAB(); sayAB(); });
  shortcut("ArrowLeft", "Player", "Back 10 seconds", () => seekBy(-10));
  shortcut("ArrowRight", "Player", "On 10 seconds", () => seekBy(10));
}
