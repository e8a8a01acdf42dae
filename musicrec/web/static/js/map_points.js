/** Where the points of the map are: the part that is shown, and the point next to a place. */

const STRETCH = 1.6; // how much wider than high, or higher than wide, a map becomes to fill its place
const CELLS = 64; // the grid in which points are looked up has as many cells per side

/** Points of a map, brought to the square from 0 to 1. */
export class Points {
  /** @param {number[]} x @param {number[]} y */
  constructor(x, y) {
    const range = (values) => values.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
    const [[left, right], [low, high]] = [range(x), range(y)];
    const size = Math.max(right - left, high - low) || 1;
    this.x = Float32Array.from(x, (one) => (one - (left + right) / 2) / size + 0.5);
    this.y = Float32Array.from(y, (one) => 0.5 - (one - (low + high) / 2) / size);
    this.cells = new Map();
    for (let i = 0; i < x.length; i += 1) {
      const cell = this.cell(this.x[i], this.y[i]);
      if (this.cells.has(cell)) this.cells.get(cell).push(i);
      else this.cells.set(cell, [i]);
    }
  }

  cell(x, y) {
    return Math.floor(x * CELLS) * 1000 + Math.floor(y * CELLS);
  }

  /** Return the point next to a place, at most so far away; -1 if there is none. */
  nearest(x, y, within, passes = () => true) {
    let [best, found] = [within * within, -1];
    const reach = Math.ceil(within * CELLS);
    const [column, row] = [Math.floor(x * CELLS), Math.floor(y * CELLS)];
    for (let i = column - reach; i <= column + reach; i += 1) {
      for (let j = row - reach; j <= row + reach; j += 1) {
        for (const point of this.cells.get(i * 1000 + j) ?? []) {
          const far = (this.x[point] - x) ** 2 + (this.y[point] - y) ** 2;
          if (far <= best && passes(point)) [best, found] = [far, point];
        }
      }
    }
    return found;
  }

  /** Return the next point in a direction (dx, dy), for the arrow keys; -1 if there is none. */
  towards(from, dx, dy, passes = () => true) {
    let [best, found] = [Infinity, -1];
    for (let i = 0; i < this.x.length; i += 1) {
      const [x, y] = [this.x[i] - this.x[from], this.y[i] - this.y[from]];
      const along = x * dx + y * dy;
      if (i === from || along <= 0 || !passes(i)) continue;
      const across = Math.abs(x * dy - y * dx);
      const cost = along + 2.5 * across;
      if (across <= along * 1.5 && cost < best) [best, found] = [cost, i];
    }
    return found;
  }
}

/** The part of the map that is shown: points are at (place · zoom · size + offset). */
export class Window {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { zoom: 0.94, dx: 0, dy: 0 });
  }

  /** Set the size of the canvas in CSS pixels. */
  fit(width, height) {
    const side = Math.min(width, height);
    Object.assign(this, { width, height, side, across: Math.min(width, STRETCH * side), down: Math.min(height, STRETCH * side) });
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - 0.5) * this.across * this.zoom + this.dx, this.height / 2 + (y - 0.5) * this.down * this.zoom + this.dy];
  }

  toMap(left, top) {
    return [(left - this.width / 2 - this.dx) / (this.across * this.zoom) + 0.5,
      (top - this.height / 2 - this.dy) / (this.down * this.zoom) + 0.5];
  }

  /** Zoom around a place on the screen, which stays where it is. */
  zoomAt(left, top, by) {
    const zoom = Math.max(0.5, Math.min(80, this.zoom * by));
    const [x, y] = [left - this.width / 2, top - this.height / 2];
    this.dx = x - ((x - this.dx) * zoom) / this.zoom;
    this.dy = y - ((y - this.dy) * zoom) / this.zoom;
    this.zoom = zoom;
  }

  /** Move so that a point is in sight. */
  reveal(x, y) {
    const [left, top] = this.toScreen(x, y);
    const margin = 40;
    if (left < margin || left > this.width - margin) this.dx += this.width / 2 - left;
    if (top < margin || top > this.height - margin) this.dy += this.height / 2 - top;
  }
}
