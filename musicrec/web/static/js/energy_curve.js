/** The energy of a set, drawn by hand: with a pointer, by presets, or as numbers. */

import { colour } from "./colours.js";
import { paper } from "./curves.js";
import { field, h, show } from "./dom.js";
import { fixed } from "./format.js";

const HOW = "Draw with the pointer, or open “As numbers” below.";
const POINTS = 17; // of the drawn curve
const [LOW, HIGH] = [1, 10];
const USUAL = 5; // where a curve begins as long as the first track is not known
const SPAN = 3; // how much higher its top is
// The shapes of `musicrec set --curve`, from 0 at the beginning to 1 at the top.
const SHAPES = { flat: () => 0, rise: (x) => x, peak: (x) => (x < 0.7 ? x / 0.7 : (1 - x) / 0.3),
  wave: (x) => 0.5 - 0.5 * Math.cos(4 * Math.PI * x) };
const FINE = 201; // points of a shape as it is asked for, so that its top, at 0.7, is one of them
const sample = (shape, low, points = POINTS) =>
  Array.from({ length: points }, (_, i) => low + (Math.min(HIGH, low + SPAN) - low) * shape(i / (points - 1)));

/**
 * Return {element, value(), state(), startAt(energy)}: the value is [[place, energy], …], or null for no curve.
 * `onchange(state)` is told what was drawn or chosen.
 */
export function energyCurve(initial, signal, onchange = () => {}) {
  let kind = initial?.kind ?? "peak";
  let low = initial?.low ?? USUAL;
  let heights = initial?.heights ?? sample(SHAPES.peak, low);
  const canvas = h("canvas", { class: "curve", role: "img", "aria-label": `Energy over the set. ${HOW}` });
  const buttons = h("div", { class: "toggle", role: "group", "aria-label": "Shape of the energy" });
  const numbers = h("div", { class: "curve-numbers" });
  let last = null;

  const draw = () => {
    if (!canvas.isConnected) return;
    const { context, width, height } = paper(canvas);
    const y = (energy) => height - 8 - ((energy - LOW) / (HIGH - LOW)) * (height - 16);
    context.strokeStyle = colour("--line");
    context.fillStyle = colour("--muted");
    context.font = "11px system-ui, sans-serif";
    for (const energy of [1, 4, 7, 10]) {
      context.beginPath();
      context.moveTo(20, y(energy));
      context.lineTo(width, y(energy));
      context.stroke();
      context.fillText(String(energy), 4, y(energy) + 4);
    }
    if (kind === "none") return;
    context.beginPath();
    heights.forEach((energy, i) => context.lineTo(20 + (i / (POINTS - 1)) * (width - 24), y(energy)));
    context.strokeStyle = colour("--accent-fill");
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.stroke();
    canvas.setAttribute("aria-label", `Energy over the set: ${[0, 4, 8, 12, 16].map((i) => fixed(heights[i])).join(", ")}. ${HOW}`);
  };
  const update = () => {
    show(buttons, [["none", "none"], ...Object.keys(SHAPES).map((one) => [one, one]), ["drawn", "drawn"]].map(([value, text]) =>
      h("button", { type: "button", text, "aria-pressed": String(kind === value), onclick: () => choose(value) })));
    show(numbers, ["start", "¼", "half", "¾", "end"].map((label, i) => field(label,
      h("input", { type: "number", min: LOW, max: HIGH, step: "any", value: fixed(heights[i * 4]).replace(".0", ""),
      onchange: (event) => setNumber(i, Number(event.target.value)) }))));
    draw();
  };
  const choose = (value) => {
    kind = value;
    if (SHAPES[value]) heights = sample(SHAPES[value], low);
    update();
    onchange(state());
    buttons.querySelector("[aria-pressed=true]")?.focus();
  };
  const setNumber = (at, energy) => {
    const five = [0, 4, 8, 12, 16].map((i) => heights[i]);
    five[at] = Math.max(LOW, Math.min(HIGH, energy || LOW));
    heights = heights.map((_, i) => {
      const part = Math.min(3, Math.floor(i / 4));
      return five[part] + (five[part + 1] - five[part]) * (i / 4 - part);
    });
    kind = "drawn";
    update();
    onchange(state());
    numbers.querySelectorAll("input")[at].focus();
  };
  const paint = (event) => {
    const box = canvas.getBoundingClientRect();
    const at = Math.max(0, Math.min(POINTS - 1, ((event.clientX - box.left - 20) / (box.width - 24)) * (POINTS - 1)));
    const energy = Math.max(LOW, Math.min(HIGH, LOW + ((box.bottom - 8 - event.clientY) / (box.height - 16)) * (HIGH - LOW)));
    const from = last ?? [at, energy];
    const [a, b] = [Math.min(from[0], at), Math.max(from[0], at)];
    for (let i = Math.round(a); i <= Math.round(b); i += 1) {
      heights[i] = b > a ? from[1] + (energy - from[1]) * Math.max(0, Math.min(1, Math.abs(i - from[0]) / (b - a))) : energy;
    }
    last = [at, energy];
    kind = "drawn";
    draw();
  };
  const state = () => ({ kind, heights, low });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    heights = [...heights];
    last = null;
    paint(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) paint(event); });
  canvas.addEventListener("pointerup", () => { update(); onchange(state()); });
  new ResizeObserver(draw).observe(canvas);
  addEventListener("themechange", draw, { signal });
  update();
  return {
    element: h("div", { class: "field curve-part" }, h("span", { class: "label", text: "Energy: draw it" }), canvas, buttons,
      h("details", {}, h("summary", { class: "label", text: "As numbers" }), numbers)),
    value: () => {
      if (kind === "none") return null;
      const energies = SHAPES[kind] ? sample(SHAPES[kind], low, FINE) : heights;
      return energies.map((energy, i) => [i / (energies.length - 1), Number(energy.toFixed(3))]);
    },
    state,
    startAt: (energy) => {
      low = energy ?? USUAL;
      if (SHAPES[kind]) heights = sample(SHAPES[kind], low);
      update();
    },
  };
}
