/** The icons: lines on a grid of 24. */

import { svg } from "./dom.js";

const FILLED = new Set(["play", "pause", "liked", "starred", "next", "previous"]);
const DOTS = new Set(["more", "grip"]);
const PATHS = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  next: "M5 5v14l10-7zM16.5 5h2.5v14h-2.5z",
  previous: "M19 5v14L9 12zM5 5h2.5v14H5z",
  like: "M12 20s-7.5-4.6-7.5-10A4.2 4.2 0 0 1 12 7.3 4.2 4.2 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z",
  liked: "M12 20s-7.5-4.6-7.5-10A4.2 4.2 0 0 1 12 7.3 4.2 4.2 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z",
  never: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM6.4 6.4l11.2 11.2",
  skip: "M5 6l7 6-7 6M12 6l7 6-7 6",
  star: "M12 4.5l2.3 4.8 5.2.7-3.8 3.6.9 5.2-4.6-2.5-4.6 2.5.9-5.2L4.500 10l5.200-.7z",
  starred: "M12 4.5l2.3 4.8 5.2.7-3.8 3.6.9 5.2-4.6-2.5-4.6 2.5.9-5.2L4.500 10l5.200-.7z",
  add: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20",
  upload: "M12 16V4.500M7 9l5-4.500L17 9M4.500 15v4.500h15V15",
  download: "M12 4v11.500M7 11l5 4.500 5-4.500M4.500 19.500h15",
  folder: "M3.500 6h6l2 2.500h9v10.500h-17z",
  grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
  lock: "M6.500 11h11v8.500h-11zM9 11V8a3 3 0 0 1 6 0v3",
  unlock: "M6.500 11h11v8.500h-11zM9 11V8a3 3 0 0 1 5.800-1",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  help: "M9.200 9a2.900 2.900 0 1 1 4.300 2.500c-1 .6-1.500 1.200-1.500 2.500M12 17.500h.01M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17z",
  user: "M12 4.500a3.700 3.700 0 1 0 0 7.400 3.700 3.700 0 0 0 0-7.400zM4.500 19.500c1-4 4-5 7.500-5s6.500 1 7.500 5",
  undo: "M8 5L4 9l4 4M4.500 9H14a5 5 0 0 1 0 10H9",
  up: "M6 14l6-6 6 6",
  down: "M6 10l6 6 6-6",
};

/** Return an icon, which screen readers pass over. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true", class: `icon ${FILLED.has(name) ? "filled" : DOTS.has(name) ? "dots" : ""}` },
    svg("path", { d: PATHS[name] }));
}
