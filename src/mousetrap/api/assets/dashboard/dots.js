// Dots on a canvas: tens of thousands in milliseconds; drawn one by one they take tenths of a second.

const OPACITY = 0.5;

/**
 * Replaces what is on a canvas by a dot at each place, x and y by turns as fractions of its width.
 * The radius is in pixels of the canvas, and dots begin at whole ones. Where they lie on each other,
 * it gets dense.
 */
export function drawDots(canvas, places, radius, colour) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const image = context.createImageData(width, height);
  const dot = dotOf(radius);
  for (let at = 0; at < places.length; at += 2) {
    const left = Math.round(places[at] * width - dot.size / 2);
    const top = Math.round(places[at + 1] * width - dot.size / 2);
    stamp(dot, image, left, top);
  }
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
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
