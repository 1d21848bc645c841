// Points on a canvas: tens of thousands in milliseconds; drawn one by one they take tenths of a second.

const OPACITY = 0.5;
const DENSE = 10_000; // points in view, from which on squares tell how many there are
const CELL = 4; // px: the side of such a square
const FAINTEST = 0.15;
const FULLEST = 0.8;

/**
 * A canvas whose pixels are the opacities of one colour. `view` tells where places are: those of
 * `places`, x and y by turns, times `k` and moved by `x` and `y`, in pixels of the screen.
 */
export class Dots {
  #context;
  #image = null;
  #low = new OffscreenCanvas(1, 1);

  constructor(canvas) {
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Replaces the points by those in view; returns "density" where squares stand for them. */
  draw(places, view, radius, colour) {
    const { canvas } = this.#context;
    if (!places.length) {
      this.#context.clearRect(0, 0, canvas.width, canvas.height);
      return "dots";
    }
    const seen = within(places, view, canvas.width / view.ratio, canvas.height / view.ratio);
    const dense = seen.length / 2 > DENSE;
    if (dense) this.#drawDensity(seen, view.ratio);
    else this.#drawDots(seen, radius * view.ratio, view.ratio);
    this.#tint(colour);
    return dense ? "density" : "dots";
  }

  #drawDots(seen, radius, ratio) {
    const image = this.#cleared(this.#context.canvas);
    const dot = dotOf(radius);
    for (let at = 0; at < seen.length; at += 2) {
      const left = Math.round(seen[at] * ratio - dot.size / 2);
      const top = Math.round(seen[at + 1] * ratio - dot.size / 2);
      stamp(dot, image, left, top);
    }
    this.#context.putImageData(image, 0, 0);
  }

  #drawDensity(seen, ratio) {
    const { canvas } = this.#context;
    const [width, height] = [canvas.width, canvas.height].map((it) => Math.ceil(it / (CELL * ratio)));
    const counts = new Uint32Array(width * height);
    let most = 1;
    for (let at = 0; at < seen.length; at += 2) {
      const cell = Math.floor(seen[at + 1] / CELL) * width + Math.floor(seen[at] / CELL);
      most = Math.max(most, ++counts[cell]);
    }
    Object.assign(this.#low, { width, height });
    const low = this.#low.getContext("2d", { willReadFrequently: true });
    const image = low.createImageData(width, height);
    counts.forEach((count, cell) => {
      const share = Math.log1p(count) / Math.log1p(most);
      if (count) image.data[4 * cell + 3] = 255 * (FAINTEST + (FULLEST - FAINTEST) * share);
    });
    low.putImageData(image, 0, 0);
    this.#context.imageSmoothingEnabled = false;
    this.#context.clearRect(0, 0, canvas.width, canvas.height);
    this.#context.drawImage(this.#low, 0, 0, width * CELL * ratio, height * CELL * ratio);
  }

  #tint(colour) {
    const { canvas } = this.#context;
    this.#context.globalCompositeOperation = "source-in";
    this.#context.fillStyle = colour;
    this.#context.fillRect(0, 0, canvas.width, canvas.height);
    this.#context.globalCompositeOperation = "source-over";
  }

  /** An empty image of the size of the canvas, the same one for each frame. */
  #cleared({ width, height }) {
    if (this.#image?.width === width && this.#image.height === height) this.#image.data.fill(0);
    else this.#image = this.#context.createImageData(width, height);
    return this.#image;
  }
}

function within(places, { k, x, y }, width, height) {
  const seen = new Float64Array(places.length);
  let length = 0;
  for (let at = 0; at < places.length; at += 2) {
    const [left, top] = [places[at] * k + x, places[at + 1] * k + y];
    if (left < 0 || top < 0 || left >= width || top >= height) continue;
    seen[length++] = left;
    seen[length++] = top;
  }
  return seen.subarray(0, length);
}

/** Makes an image denser by a dot; what of it lies outside is cut off. */
function stamp({ size, opacities }, { data, width, height }, left, top) {
  for (let y = Math.max(0, top); y < Math.min(top + size, height); y++) {
    for (let x = Math.max(0, left); x < Math.min(left + size, width); x++) {
      const at = 4 * (y * width + x) + 3;
      data[at] += (255 - data[at]) * opacities[(y - top) * size + x - left];
    }
  }
}

/** The opacity of each pixel of a square with a dot in it, whose rim is half covered. */
function dotOf(radius) {
  const size = Math.ceil(2 * radius + 2);
  const opacities = Float64Array.from({ length: size * size }, (_, at) => {
    const [x, y] = [(at % size) + 0.5, Math.floor(at / size) + 0.5];
    const covered = radius + 0.5 - Math.hypot(x - size / 2, y - size / 2);
    return OPACITY * Math.min(1, Math.max(0, covered));
  });
  return { size, opacities };
}
