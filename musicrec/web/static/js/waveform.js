/** A waveform from stored peaks, by wavesurfer.js. It never decodes audio, and it shows where the player is. */

import { get, listen, trackPath } from "./api.js";
import { h } from "./dom.js";
import { player, play, seek, share } from "./player.js";
import { colour } from "./colours.js";
import WaveSurfer from "../vendor/wavesurfer.esm.js";

/**
 * Run something that writes a <style> element into a shadow root, with its rules in a constructed style sheet instead:
 * wavesurfer writes one, and the page's security policy refuses inline styles.
 */
function withoutInlineStyle(run) {
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(options) {
    const root = attach.call(this, options);
    Object.defineProperty(root, "innerHTML", {
      set(html) {
        const parsed = new DOMParser().parseFromString(html.replace(/<style[^>]*>([^]*?)<\/style>/, (_, rules) => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(rules);
          root.adoptedStyleSheets = [sheet];
          return "";
        }), "text/html");
        root.replaceChildren(...parsed.body.childNodes);
      },
    });
    return root;
  };
  try {
    return run();
  } finally {
    Element.prototype.attachShadow = attach;
  }
}

const colours = () => ({ waveColor: colour("--wave"), progressColor: colour("--accent"), cursorColor: colour("--text") });

/**
 * Show waveforms in an element.
 * @param {HTMLElement} element Where.
 * @param {{height?: number, signal?: AbortSignal, start?: function(object, number)}} [options] `start(track, share)` plays
 *   from a place that was clicked on.
 * @returns {{show: function(object)}} `show(track)` shows that of a track; null shows none.
 */
export function makeWaveform(element, { height = 72, signal, start = (track, from) => play(track, { from }) } = {}) {
  const place = h("div", { class: "wave-place", "aria-hidden": "true" });
  const note = h("p", { class: "wave-note", role: "status" }); // is there before it speaks, or screen readers miss it
  element.append(place, note);
  let shown = null;
  let surfer = null;
  const clear = () => { surfer?.destroy(); surfer = null; };
  const follow = () => {
    if (!surfer || !shown) return;
    const here = player.track?.id === shown.id;
    surfer.setTime(here ? share() * shown.duration_s : 0);
  };
  const draw = (track, peaks) => {
    clear();
    surfer = withoutInlineStyle(() => WaveSurfer.create({
      container: place, height, peaks: [peaks], duration: track.duration_s || 1, media: document.createElement("audio"),
      barWidth: 2, barGap: 1, barRadius: 1, cursorWidth: 1, dragToSeek: true, hideScrollbar: true, normalize: true, ...colours(),
    }));
    surfer.on("ready", follow);
    surfer.on("interaction", (seconds) => {
      const to = seconds / (track.duration_s || 1);
      if (player.track?.id === track.id) seek(to);
      else start(track, to);
    });
  };
  async function load(track) {
    if (track?.id === shown?.id) return;
    shown = track;
    clear();
    element.classList.toggle("without-peaks", true);
    note.textContent = "";
    if (!track) return;
    const { has } = await get(trackPath(track.id), {}, { signal });
    if (shown !== track || signal?.aborted) return;
    if (!has.audio) note.textContent = "The file is not there any more, so it cannot be played.";
    if (!has.peaks) return; // asked first, because a refused request fills the console
    const { peaks } = await get(trackPath(track.id, "/peaks"), {}, { signal });
    if (shown !== track || signal?.aborted) return;
    element.classList.toggle("without-peaks", false);
    draw(track, peaks);
  }
  listen("time", follow, signal);
  listen("player", follow, signal);
  addEventListener("themechange", () => surfer?.setOptions(colours()), { signal });
  signal?.addEventListener("abort", clear);
  return { show: (track) => load(track).catch((error) => { // without peaks, a line stands for the waveform
    if (shown === track && error.status) note.textContent = error.message;
  }) };
}
