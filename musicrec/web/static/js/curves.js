/** Curves on canvas, in the colours of the page and at the resolution of the screen. */

import { colour, keyColour } from "./colours.js";

/** Return the context of a canvas that fills its box, cleared, and its size in CSS pixels. */
export function paper(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

/** Draw values over the width of a canvas, from their least to their greatest, or over `leastSpan` if they differ less. Null
 * leaves a gap. */
export function drawCurve(canvas, values, { steps = false, leastSpan = 0 } = {}) {
  const { context, width, height } = paper(canvas);
  const known = values.filter((one) => one !== null);
  const [least, greatest] = [Math.min(...known), Math.max(...known)];
  const more = Math.max(0, leastSpan - (greatest - least)) / 2;
  const [low, high] = [least - more, greatest + more];
  const y = (value) => (high > low ? height - 4 - ((value - low) / (high - low)) * (height - 8) : height / 2);
  const stride = Math.max(1, Math.floor(values.length / (width * 2)));
  context.beginPath();
  let gap = true;
  for (let i = 0; i < values.length; i += stride) {
    if (values[i] === null) { gap = true; continue; }
    const [from, to] = [(i / values.length) * width, ((i + stride) / values.length) * width];
    if (gap) context.moveTo(from, y(values[i]));
    else context.lineTo(from, y(values[i]));
    if (steps) context.lineTo(to, y(values[i]));
    gap = false;
  }
  context.lineWidth = 1.5;
  context.strokeStyle = colour("--curve");
  context.stroke();
}

/** Draw tags as rows whose brightness says how certain they are. @param {Array<[string, number[]]>} tags */
export function drawTags(canvas, tags) {
  const { context, width, height } = paper(canvas);
  const row = height / tags.length;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  tags.forEach(([name, values], i) => {
    const cell = width / values.length;
    context.fillStyle = colour("--accent-fill");
    values.forEach((value, at) => {
      context.globalAlpha = Math.max(0.04, Math.min(1, value)) * 0.75;
      const from = Math.round(at * cell);
      context.fillRect(from, i * row + 1, Math.round((at + 1) * cell) - from, row - 2);
    });
    context.globalAlpha = 0.75;
    const shown = context.measureText(name).width + 10;
    context.fillStyle = colour("--surface");
    context.fillRect(0, i * row + 2, shown, row - 4);
    context.globalAlpha = 1;
    context.fillStyle = colour("--text");
    context.fillText(name, 5, i * row + row / 2 + 1);
  });
}

/** Draw keys as a band in the colours of the wheel, each named once where it begins and there is room. */
export function drawKeys(canvas, codes) {
  const { context, width, height } = paper(canvas);
  context.font = "600 12px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let from = 0; from < codes.length;) {
    let to = from;
    while (to < codes.length && codes[to] === codes[from]) to += 1;
    if (codes[from]) {
      const [x, wide] = [(from / codes.length) * width, ((to - from) / codes.length) * width];
      context.fillStyle = keyColour(codes[from]);
      context.fillRect(x, 0, Math.max(1, wide - 1), height);
      context.fillStyle = "#14171c";
      if (context.measureText(codes[from]).width + 8 < wide) context.fillText(codes[from], x + 4, height / 2 + 1);
    }
    from = to;
  }
}
