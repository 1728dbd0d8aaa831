/** Milliseconds without a change before what changes the answer is computed, and of an answer that is slow. */
const QUIET = 250;
const SLOW = 25;

/** Say whether the student answers here as it does in Python; whether it does. */
function reportCheck(place, { worst, wrong }) {
  const rows = counted(data.checks.length, "made row");
  const gap = worst === 0 ? "no difference" : `largest difference ${Number(worst.toPrecision(1))}`;
  const differs = `The student answers otherwise here than in Python on ${wrong} of ${rows} (${gap})`;
  place.textContent =
    wrong === 0
      ? `Equal to the Python student on ${rows} (${gap}).`
      : `${differs}, so that it cannot be tried in this browser. Try another, or load the student in Python.`;
  place.className = wrong === 0 ? "check" : "check failed";
  return wrong === 0;
}

/** A menu of the made row and the recorded ones. `choose` takes the place of an example, -1 for the made row. */
function startMenu(choose) {
  if (data.picture) return exampleButtons(choose);
  const made = isText ? "made words" : "a made row";
  const menu = element("select", { id: "playground-rows" }, element("option", { value: -1 }, made));
  data.examples.forEach((one, place) => menu.append(element("option", { value: place }, printable(one.name))));
  menu.addEventListener("change", () => choose(Number(menu.value)));
  const again = element("button", { type: "button" }, "Start again");
  again.addEventListener("click", () => choose(Number(menu.value)));
  const label = element("label", { for: "playground-rows" }, "Start from ");
  return element("div", { class: "tools" }, ...(data.examples.length ? [label, menu] : []), again);
}

/** Recorded pictures to start from. */
function exampleButtons(choose) {
  const buttons = data.examples.map((one, place) => {
    const picture = element("canvas", { width: data.picture.width, height: data.picture.height });
    paint(picture, bytesOf(one.row));
    const button = element("button", { type: "button", class: "example", "aria-label": `show ${printable(one.name)}` }, picture);
    button.addEventListener("click", () => choose(place));
    return button;
  });
  return element("div", { class: "examples" }, ...buttons);
}

/** Ask the student at once if it is fast, and otherwise when nothing else changes the row, so that a drawing does not wait for it. */
function asker(show) {
  let took = 0;
  let waiting = 0;
  return (row) => {
    const answer = () => {
      const begun = performance.now();
      show(ask(row));
      took = performance.now() - begun;
    };
    clearTimeout(waiting);
    if (took < SLOW) answer();
    else waiting = setTimeout(answer, QUIET / 4);
  };
}

/** The form, the answers and what changes them. */
function build(board) {
  const answers = answerPanel();
  const effects = effectPanel();
  const json = element("pre", { tabindex: 0 });
  const asText = element("details", { class: "as-json" }, element("summary", {}, "This row as JSON"), json);
  let current = null;
  let example = null;
  let waiting = 0;
  const answer = asker((found) => answers.show(found, example));
  const changed = (row, bytes) => {
    current = { row, bytes };
    answer(row);
    if (asText.open) json.textContent = asJson(row);
    clearTimeout(waiting);
    waiting = setTimeout(() => effects.show(row, bytes), QUIET);
  };
  const byHand = (row, bytes) => {
    example = null;
    changed(row, bytes);
  };
  asText.addEventListener("toggle", () => {
    json.textContent = asText.open ? asJson(current.row) : "";
  });
  const { form, show, clear } = data.picture ? drawingBoard(byHand) : rowForm(byHand);
  const choose = (place) => {
    example = data.examples[place] ?? null;
    const row = example ? rowOf(example.row) : madeRow();
    const bytes = data.picture ? bytesOf(example.row) : null;
    show(bytes ?? row);
    changed(row, bytes);
  };
  const inputs = element("div", { class: "inputs" }, startMenu(choose), form, asText);
  board.append(element("div", { class: "playground" }, inputs, answers.panel), effects.panel);
  if (data.picture && data.examples.length === 0) clear();
  else choose(data.picture ? 0 : -1);
}

/** Compare the student with the one in Python, and let it be tried if they are equal. */
function start() {
  const board = document.getElementById("playground-board");
  const status = element("p", { role: "status" }, "Comparing the student with the one in Python ...");
  board.append(status);
  idly(checkStudent(), (found) => {
    if (reportCheck(status, found)) build(board);
  });
}

start();
