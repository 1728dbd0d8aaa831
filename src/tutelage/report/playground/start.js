const QUIET = 250;

/** Say whether the student answers here as it does in Python; whether it does. */
function reportCheck(place) {
  const { worst, wrong } = checkStudent();
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

function start() {
  const board = document.getElementById("playground-board");
  const status = element("p", { role: "status" });
  board.append(status);
  if (!reportCheck(status)) return;
  const answers = answerPanel();
  const effects = effectPanel();
  const json = element("pre", { tabindex: 0 });
  const asText = element("details", { class: "as-json" }, element("summary", {}, "This row as JSON"), json);
  let current = null;
  let example = null;
  let waiting = 0;
  const changed = (row, bytes) => {
    current = { row, bytes };
    answers.show(ask(row), example);
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
    const chosen = data.examples[place] ?? null;
    if (data.picture) show(bytesOf(chosen.row));
    else show(chosen ? chosen.row : madeRow());
    example = chosen;
    changed(data.picture ? current.row : (chosen ? chosen.row : madeRow()), current?.bytes);
  };
  const inputs = element("div", { class: "inputs" }, startMenu(choose), form, asText);
  board.append(element("div", { class: "playground" }, inputs, answers.panel), effects.panel);
  if (data.picture && data.examples.length === 0) clear();
  else choose(data.picture ? 0 : -1);
}

start();
