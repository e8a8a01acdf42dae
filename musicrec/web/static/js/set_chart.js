/** The picture of a set: tempo, energy with the wanted curve, and keys, over its minutes. */

import { h, svg } from "./dom.js";
import { fixed } from "./format.js";

const [LEFT, RIGHT] = [44, 16];
const MARGIN_BPM = 3; // above and below
const ROWS = { bpm: [14, 96], energy: [132, 212], key: [228, 252] }; // top and bottom

/** Return the picture. @param {object} made A set as the server returns it. */
export function setChart(made) {
  const { minutes, tracks } = made;
  const mixesOtherwise = (track) => track.mixed_bpm !== track.bpm; // at half or double time, which is no jump
  const width = Math.max(320, Math.min(960, innerWidth - 50)); // so that its words are no smaller on a phone
  const all = Math.max(minutes, 0.1);
  const middle = (track, i) => track.starts_min + ((tracks[i + 1]?.starts_min ?? all) - track.starts_min) / 2;
  const x = (minute) => LEFT + (minute / all) * (width - LEFT - RIGHT);
  const tempi = tracks.map((one) => one.mixed_bpm).filter((one) => one !== null);
  const [least, greatest] = [Math.min(...tempi), Math.max(...tempi)];
  const [low, high] = tempi.length ? [least - MARGIN_BPM, greatest + MARGIN_BPM] : [0, 1];
  const scale = ([top, bottom], from, to) => (value) => bottom - ((value - from) / (to - from || 1)) * (bottom - top);
  const bpm = scale(ROWS.bpm, low, high);
  const energy = scale(ROWS.energy, 1, 10);
  const line = (name, y, kind) => {
    const points = tracks.map((one, i) =>
      (typeof one[name] === "number" ? `${x(middle(one, i)).toFixed(1)},${y(one[name]).toFixed(1)}` : null)).filter(Boolean);
    return svg("polyline", { class: kind, points: points.join(" ") });
  };
  const dots = (name, y, kind, said) =>
    tracks.map((one, i) => one[name] !== null &&
      svg("circle", { class: kind(i), cx: x(middle(one, i)), cy: y(one[name]), r: 3.5 }, svg("title", {}, `${one.name}: ${said(one)}`)));
  const text = (left, y, words, props = {}) => svg("text", { x: left, y, ...props }, words);
  const keys = tracks.map((one, i) => {
    if (!one.camelot) return null;
    const [from, to] = [x(one.starts_min), x(tracks[i + 1]?.starts_min ?? all)];
    return svg("g", { "data-wheel": one.camelot.slice(0, -1), "data-ring": one.camelot.at(-1) },
      svg("rect", { class: "key-bar", x: from, y: ROWS.key[0], width: Math.max(1, to - from - 2), height: 24, rx: 3 },
        svg("title", {}, `${one.name}: ${one.camelot}`)),
      to - from > 30 && text((from + to) / 2, ROWS.key[0] + 16.5, one.camelot, { class: "key-text", "text-anchor": "middle" }));
  });
  let right = 0; // of the last tempo that is written; those that would lie on it are left out
  const own = tracks.map((one, i) => {
    const at = x(middle(one, i));
    if (!mixesOtherwise(one) || at < right + 28) return null;
    right = at;
    return text(at, bpm(one.mixed_bpm) + 17, fixed(one.bpm, 0), { class: "own-bpm", "text-anchor": "middle" });
  });
  const stride = [5, 10, 15, 20, 30, 60].find((one) => all / one <= width / 75) ?? 60;
  const marks = Array.from({ length: Math.floor(all / stride) + 1 }, (_, i) => i * stride);
  const each = (said) => tracks.map(said).join(", ");
  const label = `Set of ${tracks.length} tracks over ${fixed(minutes, 0)} minutes: tempo ${each((one) => fixed(one.bpm))} BPM, ` +
    `energy ${each((one) => fixed(one.energy))}, keys ${each((one) => one.camelot ?? "unknown")}`;
  return h("figure", {}, svg("svg", { class: "set-chart", viewBox: `0 0 ${width} 276`, role: "img", "aria-label": label },
    marks.map((minute) =>
      [svg("line", { class: "grid", x1: x(minute), x2: x(minute), y1: 8, y2: ROWS.key[1] }),
        text(x(minute), 270, `${minute} min`, { "text-anchor": minute ? "middle" : "start" })]).flat(),
    text(4, 20, "BPM"), ...(tempi.length ? [text(4, ROWS.bpm[1] + 4, fixed(least, 0)), text(4, 40, fixed(greatest, 0))] : []),
    line("mixed_bpm", bpm, "bpm-line"),
    ...dots("mixed_bpm", bpm, (i) => `bpm-dot${mixesOtherwise(tracks[i]) ? " multiple" : ""}`,
      (one) => `${fixed(one.bpm)} BPM${!mixesOtherwise(one) ? "" : `, mixes as ${fixed(one.mixed_bpm)}`}`).filter(Boolean),
    ...own.filter(Boolean),
    text(4, 127, "energy"), text(4, ROWS.energy[1] + 4, "1"), text(4, ROWS.energy[0] + 12, "10"),
    line("target", energy, "target-line"), line("energy", energy, "energy-line"),
    ...dots("energy", energy, () => "energy-dot", (one) => fixed(one.energy)).filter(Boolean),
    text(4, 245, "key"), ...keys.filter(Boolean)),
  tracks.some(mixesOtherwise) &&
    h("figcaption", { class: "muted", text: "○ half or double time: drawn at the tempo that mixes, with its own below." }));
}
