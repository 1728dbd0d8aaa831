const MOST_EFFECTS = 12;
const POINTS = 25;
const MOST_LEVELS = 60;
const SHOWN_LEVELS = 6;
const MOST_WORDS = 200;
/** Words that are read in all, once for each that is left out. */
const READ_WORDS = 400000;
const BLOCKS = 7;
/** Milliseconds of a slice of work, at least: a busy browser is never idle. */
const SLICE = 5;

/** Work in slices while the browser is idle, so that the page never freezes; new work replaces what is under way. */
const idly = (() => {
  const idle = window.requestIdleCallback ? (next) => requestIdleCallback(next, { timeout: 100 }) : (next) => setTimeout(next, 16);
  let latest = 0;
  return (steps, done) => {
    const own = ++latest;
    const run = (deadline) => {
      const end = performance.now() + Math.max(SLICE, deadline?.timeRemaining() ?? 0);
      while (own === latest) {
        const { done: finished, value } = steps.next();
        if (finished) return done(value);
        if (performance.now() > end) return idle(run);
      }
    };
    idle(run);
  };
})();

/** The panel of what changes the answer: one column, word or block of pixels at a time. */
function effectPanel() {
  const about = element("p", {});
  const list = element("div", { class: data.picture ? "blocks" : isText ? "texts" : "effects" });
  const panel = element("div", { class: "what-changes" }, element("h3", {}, "What changes the answer"), about, list);
  const kind = data.picture ? [pictureEffects, showBlocks] : isText ? [wordEffects, showWords] : [columnEffects, showColumns];
  /** Find and show the effects for a row. */
  function show(row, extra) {
    const { answers } = ask(row);
    if (answers === null) {
      about.textContent = "";
      list.replaceChildren();
      return;
    }
    panel.classList.add("busy");
    idly(kind[0](row, answers, extra), (found) => {
      kind[1](about, list, found, { row, answers, extra });
      panel.classList.remove("busy");
    });
  }
  return { panel, show };
}

/** What is called the answer: the probability of what is decided, of a label, or a value. */
function answerName(place) {
  if (isValues) return data.checks[0].answers.length === 1 ? "the answer" : `value ${place + 1}`;
  return `the probability of ${printable(data.classes[place], 40)}`;
}

const figureOf = (value) => (isValues ? short(value) : percent(value));

/** The place of the answer that moves most: what is decided, or of several labels or values the one with the widest range. */
function watched(base, found) {
  if (!isValues && !isMany) return largest(base);
  const spanOf = (values) => Math.max(...values) - Math.min(...values);
  return largest(base.map((_, place) => spanOf(found.map((one) => one.answers[place]))));
}

/** The cells of a column that are tried, that of the row among them. */
function cellsOf(column, here) {
  if (column.kind === "levels") return column.levels.slice(0, MOST_LEVELS);
  const { low, high, whole } = column;
  const count = whole ? Math.min(POINTS, high - low + 1) : POINTS;
  const cells = Array.from({ length: Math.max(2, count) }, (_, place) => low + ((high - low) * place) / (Math.max(2, count) - 1));
  if (here > low && here < high) cells.push(here);
  return [...new Set(whole ? cells.map(Math.round) : cells)].sort((a, b) => a - b);
}

function* columnEffects(row, base) {
  const found = [];
  for (const [place, column] of data.columns.entries()) {
    if (column.kind === "text") continue;
    const tried = [];
    for (const cell of cellsOf(column, row[place])) {
      const { answers } = ask(row.map((one, at) => (at === place ? cell : one)));
      if (answers !== null) tried.push({ cell, answers });
      yield;
    }
    if (tried.length === 0) continue;
    const output = watched(base, tried);
    const values = tried.map((one) => one.answers[output]);
    found.push({ column, place, output, cells: tried.map((one) => one.cell), values, low: Math.min(...values), high: Math.max(...values) });
  }
  return found.filter((one) => one.high > one.low).sort((a, b) => b.high - b.low - (a.high - a.low));
}

function showColumns(about, list, found, { row, answers }) {
  const shown = found.slice(0, MOST_EFFECTS);
  const still = data.columns.length - found.length;
  const what = isValues || isMany ? "the answer" : answerName(largest(answers));
  const scale = isValues ? "" : ", from 0 % to 100 %";
  about.textContent =
    (shown.length === 0
      ? "No column changes it alone. "
      : `Each chart moves one column along its range and leaves the others as they are; it shows ${what}${scale}. `) +
    (found.length > shown.length ? `The ${shown.length} with the largest effect of ${found.length}. ` : "") +
    (shown.length && still ? `${counted(still, "column")} alone ${still === 1 ? "changes" : "change"} nothing here.` : "");
  const low = isValues ? Math.min(...shown.map((one) => one.low)) : 0;
  const high = isValues ? Math.max(...shown.map((one) => one.high)) : 1;
  list.replaceChildren(...shown.map((one) => columnFigure(one, row, answers, low, high)));
}

/** The answer along the range of one column. */
function columnFigure(one, row, answers, low, high) {
  const title = element("figcaption", {}, element("strong", {}, nameOf(columnName(one.column, one.place), 40)));
  if (isMany || answers.length > 2) title.append(" ", element("small", {}, printable(answerName(one.output), 60)));
  const chart = one.column.kind === "levels" ? levelBars(one, row, low, high) : lineChart(one, row, answers, low, high);
  return element("figure", {}, title, chart, element("small", {}, `${figureOf(one.low)} to ${figureOf(one.high)}`));
}

function lineChart(one, row, answers, low, high) {
  const [width, height, edge] = [150, 52, 6];
  const { column, cells, values } = one;
  const text = (value) => (column.kind === "date" ? dateOf(value) : short(value));
  const x = (cell) => edge + ((width - 2 * edge) * (cell - cells[0])) / (cells[cells.length - 1] - cells[0] || 1);
  const y = (value) => height - edge - ((height - 2 * edge) * (value - low)) / (high - low || 1);
  const points = cells.map((cell, place) => `${x(cell).toFixed(1)},${y(values[place]).toFixed(1)}`).join(" ");
  const ends = [text(cells[0]), text(cells[cells.length - 1])];
  const moved = `${printable(columnName(column, one.place))} from ${ends[0]} to ${ends[1]}`;
  const label = `${moved}: ${figureOf(one.low)} to ${figureOf(one.high)}`;
  const chart = drawn("svg", { viewBox: `0 0 ${width} ${height + 14}`, role: "img", "aria-label": label });
  for (const line of [low, high]) chart.append(drawn("line", { x1: 0, x2: width, y1: y(line), y2: y(line), class: "grid" }));
  chart.append(drawn("polyline", { points, class: "curve chosen" }));
  const here = row[one.place];
  if (here !== null) {
    const inside = Math.min(Math.max(x(here), 0), width);
    chart.append(drawn("circle", { cx: inside, cy: y(answers[one.output]), r: 4, class: "here" }));
  }
  chart.append(drawn("text", { x: 0, y: height + 12, class: "tick" }, ends[0]));
  chart.append(drawn("text", { x: width, y: height + 12, class: "tick", "text-anchor": "end" }, ends[1]));
  return chart;
}

function levelBars({ column, cells, values, place }, row, low, high) {
  const order = cells.map((_, at) => at).sort((a, b) => values[b] - values[a]);
  const half = SHOWN_LEVELS / 2;
  const shown = order.length > SHOWN_LEVELS ? [...order.slice(0, half), ...order.slice(-half)] : order;
  const bars = shown.map((at) => {
    const bar = element("i");
    bar.style.width = `${(100 * (values[at] - low)) / (high - low || 1)}%`;
    const name = cells[at] === "" ? "(empty)" : (column.named[at] ?? cells[at]);
    const track = element("span", { class: "track" }, bar);
    return element("li", cells[at] === row[place] ? { class: "here" } : {}, nameOf(name, 24), track, element("b", {}, figureOf(values[at])));
  });
  const between = order.length - shown.length;
  if (between) bars.splice(half, 0, element("li", { class: "between" }, `${between} others between`));
  return element("ol", { class: "bars small" }, ...bars);
}

function* wordEffects(row, base) {
  const all = row[0].split(/\s+/u).filter((word) => word !== "");
  const words = all.slice(0, Math.max(1, Math.min(MOST_WORDS, Math.floor(READ_WORDS / all.length))));
  const rest = all.length - words.length;
  const found = [];
  for (const [place, word] of words.entries()) {
    const { answers } = ask([all.filter((_, at) => at !== place).join(" ")]);
    if (answers !== null) found.push({ word, place, answers });
    yield;
  }
  if (found.length === 0) return { words, rest, found, output: 0 };
  const output = watched(base, found);
  for (const one of found) one.effect = base[output] - one.answers[output];
  return { words, rest, found, output };
}

function showWords(about, list, { words, rest, found, output }, { answers }) {
  const most = Math.max(...found.map((one) => Math.abs(one.effect)), 0);
  about.textContent =
    (most === 0
      ? "No word changes it alone."
      : `How ${answerName(output)} changes if one word is left out. Blue words support it, orange ones speak against it.`) +
    (rest > 0 ? ` Only the first ${words.length === 1 ? "word was" : `${words.length} words were`} tried.` : "");
  const effects = new Map(found.map((one) => [one.place, one.effect]));
  const text = words.flatMap((word, place) => {
    const effect = effects.get(place) ?? 0;
    if (effect === 0) return [element("bdi", {}, printable(word, 40)), " "];
    const mark = element("mark", { class: effect > 0 ? "for" : "against" }, printable(word, 40));
    mark.style.setProperty("--strength", (Math.abs(effect) / most).toFixed(3));
    return [mark, " "];
  });
  const isSeen = (one) => figureOf(one.answers[output]) !== figureOf(answers[output]);
  const order = found.filter(isSeen).sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, MOST_EFFECTS);
  const items = order.map((one) => {
    const without = one.answers[output];
    return element("li", {}, nameOf(one.word, 40), ` left out: ${figureOf(answers[output])} becomes ${figureOf(without)}`);
  });
  list.replaceChildren(element("p", { class: "marked", dir: "auto" }, ...text), element("ol", { class: "words" }, ...items));
}

function* pictureEffects(row, base, bytes) {
  const { height, width, channels } = data.picture;
  const background = data.picture.bright_background ? 255 : 0;
  const side = Math.max(1, Math.ceil(Math.max(height, width) / BLOCKS));
  const found = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const without = Uint8Array.from(bytes);
      let differs = false;
      for (let y = top; y < Math.min(top + side, height); y++) {
        for (let x = left; x < Math.min(left + side, width); x++) {
          for (let channel = 0; channel < channels; channel++) {
            const place = placeOf(x, y, channel);
            differs ||= without[place] !== background;
            without[place] = background;
          }
        }
      }
      const { answers } = differs ? ask(numbersOf(without)) : { answers: base };
      found.push({ top, left, answers: answers ?? base });
      yield;
    }
  }
  const output = watched(base, found);
  for (const one of found) one.effect = base[output] - one.answers[output];
  return { found, side, output };
}

function showBlocks(about, list, { found, side, output }, { answers, extra }) {
  const { height, width } = data.picture;
  const strongest = found.reduce((a, b) => (Math.abs(b.effect) > Math.abs(a.effect) ? b : a));
  const most = Math.abs(strongest.effect);
  const name = answerName(output);
  if (most === 0) {
    about.textContent = "No block of pixels changes it alone.";
    list.replaceChildren();
    return;
  }
  const change = `${figureOf(answers[output])} becomes ${figureOf(strongest.answers[output])}`;
  about.textContent =
    `How ${name} changes if a block of ${side} x ${side} pixels is set to the background. ` +
    `Blue blocks support it, orange ones speak against it. Without the strongest, ${change}.`;
  const small = element("canvas", { width, height });
  paint(small, extra);
  const zoom = Math.max(1, Math.round(224 / Math.max(height, width)));
  const label = `${name}: ${change} without the strongest block`;
  const canvas = element("canvas", { width: width * zoom, height: height * zoom, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  for (const { top, left, effect } of found) {
    context.fillStyle = `rgb(${effect > 0 ? "40 130 230" : "240 140 20"} / ${(0.75 * Math.abs(effect)) / most})`;
    context.fillRect(left * zoom, top * zoom, side * zoom, side * zoom);
  }
  list.replaceChildren(canvas);
}
