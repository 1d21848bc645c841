// Dots on a canvas: tens of thousands in milliseconds; drawn one by one they take tenths of a second.

import { element } from "./dom.js";

const OPACITY = 0.5;

/**
 * Replaces what is on a canvas by a dot at each place, x and y by turns as fractions of its width.
 * The radius is in pixels of the canvas. Where dots lie on each other, it gets dense.
 */
export function drawDots(canvas, places, radius, colour) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const image = context.createImageData(width, height);
  const dot = paintDot(radius);
  for (let at = 0; at < places.length; at += 2) {
    const left = Math.round(places[at] * width - dot.width / 2);
    const top = Math.round(places[at + 1] * width - dot.height / 2);
    stamp(dot, image, left, top);
  }
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
}

/** Makes an image denser by a dot; what of it lies outside is cut off. */
function stamp(dot, image, left, top) {
  const [right, bottom] = [left + dot.width, top + dot.height];
  for (let y = Math.max(0, top); y < Math.min(bottom, image.height); y++) {
    for (let x = Math.max(0, left); x < Math.min(right, image.width); x++) {
      const at = 4 * (y * image.width + x) + 3;
      const opacity = dot.data[4 * ((y - top) * dot.width + x - left) + 3] / 255;
      image.data[at] += (255 - image.data[at]) * opacity;
    }
  }
}

function paintDot(radius) {
  const size = Math.ceil(2 * radius + 2);
  const context = element("canvas", { width: size, height: size }).getContext("2d");
  context.globalAlpha = OPACITY;
  context.arc(size / 2, size / 2, radius, 0, 2 * Math.PI);
  context.fill();
  return context.getImageData(0, 0, size, size);
}
