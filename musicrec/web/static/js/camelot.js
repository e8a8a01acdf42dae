/** Keys on the Camelot wheel: the pill that names a key, and the wheel that shows what mixes. */

import { h, svg } from "./dom.js";
import { DASH, fixed } from "./format.js";

export const CODES = Array.from({ length: 12 }, (_, i) => [`${i + 1}A`, `${i + 1}B`]).flat();
const NAMES = {
  A: ["A♭", "E♭", "B♭", "F", "C", "G", "D", "A", "E", "B", "F♯", "D♭"].map((tonic) => `${tonic} minor`),
  B: ["B", "F♯", "D♭", "A♭", "E♭", "B♭", "F", "C", "G", "D", "A", "E"].map((tonic) => `${tonic} major`),
};
const RINGS = { A: [52, 80], B: [80, 108] }; // radii

/** Return the name of a Camelot code, such as "A minor" of "8A". */
export const keyName = (code) => NAMES[code.at(-1)]?.[parseInt(code, 10) - 1] ?? "";

/** Return the pill of a key; its colour is its place on the wheel. The name is for a key that has no code. */
export function keyPill(code, name = null) {
  if (!code) return h("span", { class: "key unknown", text: name || DASH });
  return h("span", { class: "key", data: { wheel: code.slice(0, -1), ring: code.at(-1) }, title: keyName(code), text: code });
}

function sector(from, to, inner, outer) {
  const at = (radius, turn) => `${(radius * Math.sin(turn)).toFixed(2)} ${(-radius * Math.cos(turn)).toFixed(2)}`;
  return `M${at(outer, from)}A${outer} ${outer} 0 0 1 ${at(outer, to)}L${at(inner, to)}A${inner} ${inner} 0 0 0 ${at(inner, from)}Z`;
}

/**
 * Return the wheel.
 * @param {{code: string|null, scores: object, chosen: string[], counts?: object, onchoose: function(string)}} options The
 *   key in the middle, {code: how well it mixes, 0 to 1}, the keys that are filtered by, and what a click does.
 */
export function camelotWheel({ code, scores = {}, chosen = [], onchoose }) {
  const keys = CODES.map((one) => {
    const [number, ring] = [parseInt(one, 10), one.at(-1)];
    const middle = (number % 12) * (Math.PI / 6);
    const [inner, outer] = RINGS[ring];
    const score = scores[one] ?? 0;
    const level = one === code ? "same" : score >= 0.8 ? "good" : score >= 0.5 ? "fair" : "far";
    const radius = (inner + outer) / 2;
    const act = () => onchoose(one);
    return svg("g", { class: `wheel-key ${level}`, role: "button", tabindex: one === (chosen[0] ?? code ?? "8A") ? 0 : -1,
      data: { wheel: number, ring, code: one }, "aria-pressed": String(chosen.includes(one)),
      "aria-label": `${one}, ${keyName(one)}${one === code ? ", key of the query" : level === "far" ? "" : `, mixes ${fixed(score, 2)}`}`,
      onclick: act,
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); }
        const [by, other] = [{ ArrowRight: 1, ArrowLeft: -1 }[event.key], ["ArrowUp", "ArrowDown"].includes(event.key)];
        if (!by && !other) return;
        event.preventDefault();
        const next = by ? `${((number - 1 + by + 12) % 12) + 1}${ring}` : `${number}${ring === "A" ? "B" : "A"}`;
        event.currentTarget.ownerSVGElement.querySelector(`[data-code="${next}"]`).focus();
      } },
      svg("path", { d: sector(middle - Math.PI / 12, middle + Math.PI / 12, inner, outer) }),
      svg("text", { x: radius * Math.sin(middle), y: -radius * Math.cos(middle) + 4.5, "text-anchor": "middle" }, one),
      svg("title", {}, `${one} · ${keyName(one)}`));
  });
  return svg("svg", { class: "wheel", viewBox: "-112 -112 224 224", role: "group",
    "aria-label": "Camelot wheel: choose keys to filter by" },
    ...keys, svg("text", { class: "wheel-middle", y: 2, "text-anchor": "middle", "aria-hidden": "true" }, code ?? DASH),
    svg("text", { class: "wheel-name", y: 20, "text-anchor": "middle", "aria-hidden": "true" }, code ? keyName(code) : "no key"));
}
