const INK_SIDE = 280;
const CENTRED_SHARE = 20 / 28;
const LARGEST_SCALE = 2.5;

/** A canvas to draw on, and what the student sees of it. `changed` is called with the row and the bytes of its pixels. */
function drawingBoard(changed) {
  const { height, width, centred } = data.picture;
  const scale = Math.max(2, Math.min(16, Math.floor(INK_SIDE / Math.max(height, width))));
  const ink = strokes(width, height, scale);
  const seen = element("canvas", { width, height, class: "seen", role: "img", "aria-label": "the pixels that the student sees" });
  const centre = checkbox("size and centre the drawing as MNIST does", centred);
  const bright = checkbox("dark on a bright background", data.picture.bright_background);
  const thickest = Math.max(4, Math.ceil(Math.max(height, width) / 5));
  const brush = element("input", { type: "range", min: 0.5, max: thickest, step: 0.1, id: "playground-brush" });
  brush.value = Math.max(1, 0.085 * Math.max(height, width));
  let given = null;

  function look() {
    const square = Math.min(height, width) >= 8;
    const amounts = given ? null : averaged(centre.box.checked && square ? centredInk(ink.canvas) : ink.canvas, width, height);
    const bytes = given ?? pixelBytes(amounts, bright.box.checked);
    paint(seen, bytes);
    changed(numbersOf(bytes), bytes);
  }
  const draw = (from, to) => {
    if (given) ink.clear();
    given = null;
    ink.line(from, to, Number(brush.value));
    look();
  };
  const clear = () => {
    given = null;
    ink.clear();
    look();
  };
  ink.canvas.classList.toggle("bright", bright.box.checked);
  bright.box.addEventListener("change", () => {
    ink.canvas.classList.toggle("bright", bright.box.checked);
    look();
  });
  centre.box.addEventListener("change", look);
  const pen = penOf(ink.canvas, width, height, draw, clear);
  const button = element("button", { type: "button" }, "Clear");
  button.addEventListener("click", clear);
  const tools = element("div", { class: "tools" }, button, element("label", { for: "playground-brush" }, "brush "), brush);
  const options = height === width && height >= 16 ? [centre.item, bright.item] : [bright.item];
  const keys = "With the keyboard: arrows move, space lowers and lifts the pen, Delete clears.";
  const help = element("small", {}, `Draw with a finger, a pen or a mouse. ${keys}`);
  const shown = element("figure", {}, seen, element("figcaption", {}, `what the student sees: ${width} x ${height} pixels`));
  const form = element("div", { class: "drawing" }, pen.item, element("div", { class: "beside" }, shown, tools, ...options), help);
  /** Show recorded pixels, exactly as they are, until something else is drawn. */
  const show = (bytes) => {
    given = bytes;
    ink.show(bytes, bright.box.checked);
    paint(seen, bytes);
  };
  return { form, show, clear };
}

function checkbox(text, checked) {
  const box = element("input", { type: "checkbox", checked });
  return { box, item: element("label", { class: "option" }, box, ` ${text}`) };
}

/** A canvas with white strokes on black, `scale` times as fine as the picture. */
function strokes(width, height, scale) {
  const canvas = element("canvas", { width: width * scale, height: height * scale, class: "ink", tabindex: 0, role: "application" });
  canvas.setAttribute("aria-label", "a canvas to draw on; arrows move, space lowers and lifts the pen, Delete clears");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const clear = () => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  const line = (from, to, thick) => {
    context.strokeStyle = "#fff";
    context.lineWidth = thick * scale;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from[0] * scale, from[1] * scale);
    context.lineTo(to[0] * scale + 0.01, to[1] * scale);
    context.stroke();
  };
  const show = (bytes, bright) => {
    clear();
    const channels = data.picture.channels;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const grey = greyAt(bytes, x, y, channels);
        context.fillStyle = `rgb(${Array(3).fill(bright ? 255 - grey : grey).join(" ")})`;
        context.fillRect(x * scale, y * scale, scale, scale);
      }
    }
  };
  clear();
  return { canvas, line, clear, show };
}

/** The place of a pixel's number among those of the row. */
function placeOf(x, y, channel) {
  const { height, width, channels, layout } = data.picture;
  return layout === "HWC" ? (y * width + x) * channels + channel : (channel * height + y) * width + x;
}

/** The mean of a pixel's bytes over its channels. */
function greyAt(bytes, x, y, channels) {
  let sum = 0;
  for (let channel = 0; channel < channels; channel++) sum += bytes[placeOf(x, y, channel)];
  return Math.round(sum / channels);
}

/** The drawing with its longer side at 20 of 28 pixels and its centre of mass in the middle, as MNIST was made. */
function centredInk(canvas) {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height).data;
  let [left, right, top, bottom, mass, across, down] = [width, -1, height, -1, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const amount = pixels[4 * (y * width + x)];
      if (amount === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
      mass += amount;
      across += amount * (x + 0.5);
      down += amount * (y + 0.5);
    }
  }
  if (mass === 0) return canvas;
  const scale = Math.min(LARGEST_SCALE, (CENTRED_SHARE * width) / Math.max(right - left + 1, bottom - top + 1));
  const moved = element("canvas", { width, height });
  const context = moved.getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, width, height);
  context.setTransform(scale, 0, 0, scale, width / 2 - (scale * across) / mass, height / 2 - (scale * down) / mass);
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, left, top, right - left + 1, bottom - top + 1, left, top, right - left + 1, bottom - top + 1);
  return moved;
}

/** The ink of each pixel from 0 to 255: the mean over its part of the canvas. */
function averaged(canvas, width, height) {
  const scale = canvas.width / width;
  const pixels = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height).data;
  const sums = new Float64Array(width * height);
  for (let y = 0; y < canvas.height; y++) {
    const line = Math.floor(y / scale) * width;
    for (let x = 0; x < canvas.width; x++) sums[line + Math.floor(x / scale)] += pixels[4 * (y * canvas.width + x)];
  }
  return sums.map((sum) => Math.round(sum / (scale * scale)));
}

/** The bytes of a row from the ink of its pixels, the same in every channel. */
function pixelBytes(amounts, bright) {
  const { height, width, channels } = data.picture;
  const bytes = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const amount = amounts[y * width + x];
      for (let channel = 0; channel < channels; channel++) bytes[placeOf(x, y, channel)] = bright ? 255 - amount : amount;
    }
  }
  return bytes;
}

/** Paint the bytes of a row on a canvas of a point a pixel. */
function paint(canvas, bytes) {
  const { height, width, channels } = data.picture;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let colour = 0; colour < 3; colour++) {
        image.data[4 * (y * width + x) + colour] = bytes[placeOf(x, y, channels === 3 ? colour : 0)];
      }
      image.data[4 * (y * width + x) + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What draws: fingers, pens and mice; and with the keyboard a cursor. `draw` takes two points in pixels of the picture. */
function penOf(canvas, width, height, draw, clear) {
  const cursor = element("span", { class: "cursor", "aria-hidden": "true" });
  const said = element("span", { class: "unseen", role: "status" });
  const item = element("div", { class: "board" }, canvas, cursor, said);
  let last = null;
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = point(event);
    draw(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    const next = point(event);
    draw(last, next);
    last = next;
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(end, () => (last = null));

  let at = [width / 2, height / 2];
  let down = false;
  const place = () => {
    cursor.style.left = `${(100 * at[0]) / width}%`;
    cursor.style.top = `${(100 * at[1]) / height}%`;
    cursor.classList.toggle("down", down);
  };
  canvas.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (move) {
      const from = at;
      at = [Math.min(Math.max(at[0] + move[0], 0), width), Math.min(Math.max(at[1] + move[1], 0), height)];
      if (down) draw(from, at);
    } else if (event.key === " ") {
      down = !down;
      said.textContent = down ? "pen down" : "pen up";
      if (down) draw(at, at);
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    event.preventDefault();
    place();
  });
  place();
  return { item };
}
