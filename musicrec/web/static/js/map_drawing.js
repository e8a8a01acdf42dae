/** Draws the points of the map: as discs, or, where there are very many, pixel by pixel, which is fast. */

const MANY = 6000; // from so many points in sight on, they are pixels
const swatch = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** Return a CSS colour as the four bytes of a pixel, in one number. */
function pixelOf(style, alpha) {
  swatch.clearRect(0, 0, 1, 1);
  swatch.fillStyle = style;
  swatch.fillRect(0, 0, 1, 1);
  const [red, green, blue] = swatch.getImageData(0, 0, 1, 1).data;
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * Draw points.
 * @param {CanvasRenderingContext2D} context Cleared, and scaled to CSS pixels.
 * @param {{points: Points, shown: Window, kinds: Uint8Array, styles: string[], alphas: number[], radius: number}} what
 *   `kinds` is the style of each point; of styles that cover each other, the later ones are on top.
 */
export function drawPoints(context, { points, shown, kinds, styles, alphas, radius }) {
  const { x, y } = points;
  const { width, height } = shown;
  const [across, down] = [shown.across * shown.zoom, shown.down * shown.zoom];
  const [left, top] = [width / 2 + shown.dx - across / 2, height / 2 + shown.dy - down / 2];
  const inSight = [];
  for (let i = 0; i < x.length; i += 1) {
    const [a, b] = [left + x[i] * across, top + y[i] * down];
    if (a > -8 && b > -8 && a < width + 8 && b < height + 8) inSight.push(i);
  }
  if (inSight.length > MANY) drawPixels(context, inSight, { x, y, left, top, across, down, kinds, styles, alphas, radius });
  else drawDiscs(context, inSight, { x, y, left, top, across, down, kinds, styles, alphas, radius });
}

function drawDiscs(context, inSight, { x, y, left, top, across, down, kinds, styles, alphas, radius }) {
  styles.forEach((style, kind) => {
    context.fillStyle = style;
    context.globalAlpha = alphas[kind];
    context.beginPath();
    for (const i of inSight) {
      if (kinds[i] !== kind) continue;
      const [a, b] = [left + x[i] * across, top + y[i] * down];
      context.moveTo(a + radius, b);
      context.arc(a, b, radius, 0, 2 * Math.PI);
    }
    context.fill();
  });
  context.globalAlpha = 1;
}

function drawPixels(context, inSight, { x, y, left, top, across, down, kinds, styles, alphas, radius }) {
  const { width, height } = context.canvas;
  const scale = devicePixelRatio || 1;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = styles.map((style, kind) => pixelOf(style, alphas[kind]));
  const size = Math.max(1, Math.round(radius * 1.8 * scale));
  const dimFirst = alphas.some((one) => one < 0.5);
  for (const pass of dimFirst ? [0, 1] : [1]) { // what is dim lies below
    for (const i of inSight) {
      if (dimFirst && (alphas[kinds[i]] >= 0.5) !== (pass === 1)) continue;
      const from = Math.round((left + x[i] * across) * scale - size / 2);
      const row = Math.round((top + y[i] * down) * scale - size / 2);
      for (let b = Math.max(0, row); b < Math.min(height, row + size); b += 1) {
        for (let a = Math.max(0, from); a < Math.min(width, from + size); a += 1) pixels[b * width + a] = colours[kinds[i]];
      }
    }
  }
  context.putImageData(image, 0, 0);
}
