/** How a track changes: mel spectrogram, roll-off, zero crossings, and predictions over time. Computed when asked for. */

import { address, get, listen, post, remove, trackPath } from "./api.js";
import { h, show } from "./dom.js";
import { drawCurve, drawKeys, drawTags } from "./curves.js";
import { fixed, length } from "./format.js";
import { progressBar, progressText, watch } from "./jobs.js";
import { keepSetting, setting } from "./kept.js";
import { player, play, seek, share } from "./player.js";

const OPEN = "details_open";
const MOST_TAGS = 6;

/** Return {element, show}: a part that opens, and what shows a track in it. */
export function trackDetails(signal) {
  const body = h("div", { class: "details-body" });
  const element = h("details", { class: "track-details", open: setting(OPEN) === "yes" },
    h("summary", { text: "Over time: spectrogram, curves, predictions" }), body);
  let track = null;
  let loaded = null;
  let draws = [];
  let job = null; // what is measured now
  const giveUp = () => { // nobody waits for it any longer, so others need not wait for it, either
    if (job) remove(`jobs/${job.id}`).catch(() => {});
    job = null;
  };
  signal.addEventListener("abort", giveUp);

  /** Have a track measured, with its progress; return whether it was. */
  const measure = async (wanted, path) => {
    const bar = progressBar("Measuring the track");
    const now = h("span", { text: "waiting" });
    show(body, h("div", { class: "measuring muted" }, h("span", {}, "Measuring the track: ", now), bar.element,
      h("button", { type: "button", text: "Cancel", onclick: giveUp })));
    const started = await post(path);
    job = started;
    if (track !== wanted || signal.aborted) giveUp();
    const last = await watch(started, (one) => {
      bar.set(one);
      now.textContent = one.message || progressText(one);
    });
    if (job === started) job = null;
    return last.state === "done";
  };

  const load = async () => {
    if (!element.open || !track || loaded === track.id) return;
    const wanted = track;
    loaded = wanted.id;
    const path = trackPath(wanted.id, "/details");
    try {
      show(body, h("p", { class: "muted", text: "Reading…" }));
      const { has } = await get(trackPath(wanted.id), {}, { signal });
      if (!has?.details) {
        if (!(await measure(wanted, path))) {
          if (track !== wanted || signal.aborted) return;
          loaded = null;
          show(body, h("p", { class: "buttons center" }, h("button", { type: "button", text: "Measure the track", onclick: load })));
          body.querySelector("button").focus();
          return;
        }
      }
      const details = await get(path, {}, { signal });
      if (track === wanted && !signal.aborted) draw(wanted, details);
    } catch (error) {
      if (track !== wanted) return;
      loaded = null;
      if (error.name !== "AbortError") show(body, h("p", { class: "error", text: error.message }),
        h("button", { type: "button", text: "Try again", onclick: load }));
    }
  };

  const draw = (of, details) => {
    draws = [];
    const go = (event) => {
      const { left, width } = event.currentTarget.getBoundingClientRect();
      const to = (event.clientX - left) / width;
      if (player.track?.id === of.id) seek(to);
      else play(of, { from: to });
    };
    const canvas = (label, height, paint) => {
      const one = h("canvas", { role: "img", "aria-label": label, class: "over-time", style: { height: `${height}px` }, onclick: go });
      draws.push(() => one.isConnected && paint(one));
      return one;
    };
    const part = (title, unit, content) =>
      h("figure", {}, h("figcaption", {}, h("span", { text: title }), h("small", { class: "muted", text: unit })), content);
    const range = (values) => {
      const known = values.filter((one) => one !== null);
      return `${fixed(Math.min(...known), 0)} to ${fixed(Math.max(...known), 0)}`;
    };
    const picture = h("img",
      { class: "spectrogram", alt: `Mel spectrogram, 0 to ${length(of.duration_s)}`,
        src: address(trackPath(of.id, "/spectrogram.png")), onclick: go });
    const { roll_off_hz: rollOff = [], zero_crossings_per_s: crossings = [], predictions = {} } = details;
    const parts = [part("Mel spectrogram", "dB; click to play from there", picture)];
    if (rollOff.some((one) => one !== null)) parts.push(part("Roll-off", `Hz, ${range(rollOff)}`,
      canvas(`Roll-off over time, ${range(rollOff)} hertz`, 64, (one) => drawCurve(one, rollOff))));
    if (crossings.length) parts.push(part("Zero crossings", `per second, ${range(crossings)}`,
      canvas(`Zero crossings over time, ${range(crossings)} per second`, 64, (one) => drawCurve(one, crossings))));
    const tags = Object.entries(predictions.tags ?? {}).map(([name, values]) =>
      [name, values, values.reduce((sum, one) => sum + one, 0) / (values.length || 1)])
      .sort((a, b) => b[2] - a[2]).slice(0, MOST_TAGS);
    if (tags.length) parts.push(part("Tags", "brighter: more certain",
      canvas(`Tags over time: ${tags.map(([name, , mean]) => `${name} ${fixed(mean, 2)}`).join(", ")}`, 22 * tags.length,
        (one) => drawTags(one, tags))));
    const bpm = predictions.bpm ?? [];
    if (bpm.some((one) => one !== null)) parts.push(part("Tempo", `BPM, ${range(bpm)}`,
      canvas(`Tempo over time, ${range(bpm)} BPM`, 64, (one) => drawCurve(one, predictions.bpm, { steps: true, leastSpan: 8 }))));
    if (predictions.key?.length) parts.push(part("Key", "by Camelot code",
      canvas(`Key over time: ${[...new Set(predictions.key.filter(Boolean))].join(", ")}`, 26, (one) => drawKeys(one, predictions.key))));
    const cursor = h("div", { class: "time-cursor", "aria-hidden": "true" });
    show(body, h("div", { class: "over-times" }, ...parts, cursor));
    const follow = () => {
      cursor.hidden = player.track?.id !== of.id;
      cursor.style.setProperty("--at", share());
    };
    draws.push(follow);
    redraw();
  };
  const redraw = () => { for (const one of draws) one(); };
  new ResizeObserver(redraw).observe(body);
  addEventListener("themechange", redraw, { signal });
  listen("time", () => draws.at(-1)?.(), signal);
  listen("player", () => draws.at(-1)?.(), signal);
  element.addEventListener("toggle", () => {
    keepSetting(OPEN, element.open ? "yes" : "no");
    load();
  });
  return { element, show: (one) => {
    giveUp();
    track = one;
    draws = [];
    loaded = null;
    show(body);
    load();
  } };
}
