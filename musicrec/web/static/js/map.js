/** The view Map: how the whole library sounds, in two dimensions. What sounds alike is near. */

import { get, listen, trackPath } from "./api.js";
import { keyPill } from "./camelot.js";
import { colour, isDark } from "./colours.js";
import { paper } from "./curves.js";
import { h, keepFocus, later, show } from "./dom.js";
import { emptyLibrary } from "./empty_library.js";
import { counted, fixed, trackName, whole } from "./format.js";
import { drawPoints } from "./map_drawing.js";
import { Points, Window } from "./map_points.js";
import { player, play } from "./player.js";
import { query } from "./query_state.js";
import { isEmpty, learn } from "./store.js";
import { announce, report } from "./toast.js";
import { bindRow, unbindRow } from "./track_buttons.js";

const COLOURS = 9; // genres with a colour of their own; the others are grey
const NEAR = 14; // pixels around a point in which it is pointed at
const known = new Map(); // {id: row}

const hueOf = (rank) => `oklch(${isDark() ? 0.78 : 0.58} 0.15 ${(rank * 360) / COLOURS + 30})`;

listen("library", () => known.clear());

async function rowOf(id) {
  if (!known.has(id)) known.set(id, learn([await get(trackPath(id))])[0]);
  return known.get(id);
}

export async function mount(view, { signal }) {
  const heading = h("h1", {}, "Map");
  if (isEmpty()) {
    show(view, heading, emptyLibrary());
    return;
  }
  const canvas = h("canvas",
    { tabindex: 0, role: "application",
      "aria-label": "Map of the library. Arrow keys go from track to track, Enter plays, plus and minus zoom, 0 shows all.",
      "aria-describedby": "map-help" });
  const name = h("div", { class: "map-name", hidden: true });
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Genres: show only one" });
  const tool = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, text, onclick: act });
  const size = h("small", { text: "is drawn…" });
  heading.append(size);
  show(view, h("div", { class: "view-head" }, heading,
    h("p", { class: "muted", id: "map-help", text: "What sounds alike is near. Click plays; drag moves; the wheel or two fingers zoom." })),
    h("div", { class: "map" }, canvas, name,
      h("div", { class: "map-tools" }, tool("+", "Zoom in", () => zoom(1.5)), tool("−", "Zoom out", () => zoom(1 / 1.5)),
        tool("⤢", "Show all", () => { shown.reset(); draw(); }))), legend);
  const data = await get("map", {}, { signal });
  size.textContent = counted(data.ids.length);
  const points = new Points(data.x, data.y);
  const shown = new Window();
  const rowById = new Map(data.ids.map((id, i) => [id, i]));
  const counts = new Map();
  for (const one of data.genre) counts.set(one, (counts.get(one) ?? 0) + 1);
  const common = [...counts].filter(([one]) => data.genres[one]).sort((a, b) => b[1] - a[1]).slice(0, COLOURS).map(([one]) => one);
  const kinds = Uint8Array.from(data.genre, (one) => common.indexOf(one) + 1); // 0: one of the other genres
  let only = null;
  let pointed = -1;

  const passes = (i) => only === null || (only === "other" ? !common.includes(data.genre[i]) : data.genre[i] === only);
  const ring = (context, i, style, radius) => {
    const [left, top] = shown.toScreen(points.x[i], points.y[i]);
    context.beginPath();
    context.arc(left, top, radius, 0, 2 * Math.PI);
    context.strokeStyle = style;
    context.lineWidth = 2.5;
    context.stroke();
  };
  const draw = () => {
    if (!canvas.isConnected) return;
    const { context, width, height } = paper(canvas);
    shown.fit(width, height);
    const radius = Math.max(1.2, Math.min(7, (260 / Math.sqrt(data.ids.length + 40)) * Math.sqrt(shown.zoom) * 0.28));
    const styles = [colour("--line-strong"), ...common.map((_, rank) => hueOf(rank))];
    const alphas = ["other", ...common].map((one) => (only === null || only === one ? 0.9 : 0.12));
    drawPoints(context, { points, shown, kinds, styles, alphas, radius });
    for (const seed of query.seeds) if (rowById.has(seed.id)) ring(context, rowById.get(seed.id), colour("--accent"), radius + 5);
    if (rowById.has(player.track?.id)) ring(context, rowById.get(player.track.id), colour("--good"), radius + 3);
    if (pointed >= 0) ring(context, pointed, colour("--text"), radius + 4);
  };
  let waiting = 0;
  const drawSoon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; draw(); }); };
  const zoom = (by, left = shown.width / 2, top = shown.height / 2) => { shown.zoomAt(left, top, by); drawSoon(); };

  const sayName = later(async (i, aloud) => {
    if (i !== pointed || i < 0) return;
    try {
      const track = await rowOf(data.ids[i]);
      if (i !== pointed || signal.aborted) return;
      show(name, h("strong", { text: trackName(track) }),
        h("p", {}, h("span", { class: "bpm", text: fixed(track.bpm) }), keyPill(track.camelot, track.key),
          h("span", { class: "muted", text: data.genres[data.genre[i]] ?? "" })));
      name.hidden = false;
      const [left, top] = shown.toScreen(points.x[i], points.y[i]);
      name.style.left = `${Math.max(0, Math.min(left + 14, shown.width - name.offsetWidth - 4))}px`;
      name.style.top = `${Math.max(0, Math.min(top + 14, shown.height - name.offsetHeight - 4))}px`;
      bindRow(canvas, track, { play: () => play(track, { queue: [] }) });
      if (aloud) announce(`${trackName(track)}, ${fixed(track.bpm)} BPM, ${track.camelot ?? "no key"}`);
    } catch (error) {
      report(error);
    }
  }, 40);
  const point = (i, aloud = false) => {
    if (i === pointed) return;
    pointed = i;
    unbindRow(canvas); // until the name of the new point is known, keys act on none
    if (i < 0) name.hidden = true;
    sayName(i, aloud);
    drawSoon();
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = (left, top) => points.nearest(...shown.toMap(left, top), NEAR / (shown.side * shown.zoom), passes);

  const fingers = new Map(); // {pointer: place}
  let travelled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    travelled = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = at(event);
    const before = fingers.get(event.pointerId);
    if (!before) return point(under(left, top));
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (others.length) {
      const [[x, y]] = others;
      zoom(Math.hypot(left - x, top - y) / (Math.hypot(before[0] - x, before[1] - y) || 1), (left + x) / 2, (top + y) / 2);
    } else {
      shown.dx += left - before[0];
      shown.dy += top - before[1];
    }
    travelled += Math.hypot(left - before[0], top - before[1]);
    fingers.set(event.pointerId, [left, top]);
    drawSoon();
    return undefined;
  });
  let turn = 0;
  const start = async (i) => {
    if (i < 0) return;
    const mine = ++turn;
    const row = await rowOf(data.ids[i]);
    if (mine === turn) play(row, { queue: [] }); // and not if another one was chosen since
  };
  canvas.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (travelled > 5) return;
    point(under(...at(event)));
    start(pointed).catch(report);
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) point(-1); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      const next = pointed < 0 ? points.nearest(...shown.toMap(shown.width / 2, shown.height / 2), 2, passes)
        : points.towards(pointed, ...way, passes);
      if (next >= 0) {
        shown.reveal(points.x[next], points.y[next]);
        point(next, true);
      }
    } else if (event.key === "Enter" || event.key === " ") start(pointed).catch(report);
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") { shown.reset(); drawSoon(); } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const drawLegend = () => {
    const others = data.ids.length - common.reduce((sum, one) => sum + counts.get(one), 0);
    const entry = (genre, text, style, count) =>
      h("button", { type: "button", "aria-pressed": String(only === genre),
        onclick: () => { only = only === genre ? null : genre; drawLegend(); draw(); } },
      h("i", { style: { "--colour": style }, "aria-hidden": "true" }), text, h("small", { class: "muted", text: whole(count) }));
    keepFocus(legend, () =>
      show(legend, common.map((one, rank) => entry(one, data.genres[one], hueOf(rank), counts.get(one))),
        others > 0 && entry("other", "other", colour("--line-strong"), others)));
  };
  drawLegend();
  new ResizeObserver(draw).observe(canvas);
  addEventListener("themechange", () => { drawLegend(); draw(); }, { signal });
  listen("player", drawSoon, signal);
}
