/** The energy of a track, from 1 to 10, as a bar and as a number. */

import { h } from "./dom.js";
import { fixed } from "./format.js";

/** Return the bar. Screen readers pass it over: the number stands beside it. */
export const energyMeter = (energy) =>
  h("span", { class: "meter", "aria-hidden": "true", style: { "--share": (energy ?? 0) / 10 } });

/** Return bar and number, as rows of tracks have them. */
export const energyCell = (energy) => h("span", { class: "energy-cell", title: "Energy, 1 to 10" }, energyMeter(energy),
  h("small", {}, h("span", { class: "unseen", text: "energy " }), fixed(energy)));
