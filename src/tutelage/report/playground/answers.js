const EVERY_CLASS = 12;
const MOST_CLASSES = 10;

/** The panel of the student's answers: what it decides, a bar for each class or a number for each value, and what the teacher said. */
function answerPanel() {
  const decided = element("p", { class: "decision", role: "status" });
  const list = element("ol", { class: isValues ? "values" : "bars" });
  const others = element("p", { class: "others" });
  const teacher = element("p", { class: "teacher-said" });
  const count = isValues ? data.checks[0].answers.length : data.classes.length;
  const slots = Array.from({ length: count > EVERY_CLASS ? MOST_CLASSES : count }, answerSlot);
  list.append(...slots.map((slot) => slot.item));
  const heading = element("h3", {}, isValues ? "The student's answer" : isMany ? "The student's labels" : "The student's classes");
  const panel = element("div", { class: "answers" }, heading, decided, isValues && count === 1 ? "" : list, others, teacher);

  function show({ answers, error, deferred }, example) {
    panel.classList.toggle("no-answer", answers === null);
    teacher.replaceChildren(...(example ? teacherWords(example) : []));
    if (answers === null) {
      decided.textContent = `No answer: ${error}.`;
      return;
    }
    decided.replaceChildren(element("strong", {}, decision(answers)));
    if (!isValues && !isMany) decided.append(` with probability ${percent(Math.max(...answers))}`);
    if (isMany) decided.append(element("small", {}, " above one half"));
    if (deferred) decided.append(element("small", { class: "deferred" }, "Not sure enough: this row is left to the teacher."));
    let places = answers.map((_, place) => place);
    if (places.length > slots.length) places = places.sort((a, b) => answers[b] - answers[a]).slice(0, slots.length);
    places.forEach((place, slot) => slots[slot].show(place, answers, example));
    const rest = answers.length - places.length;
    const left = Math.max(0, 1 - places.reduce((sum, place) => sum + answers[place], 0));
    others.textContent = rest === 0 ? "" : `and ${rest} more${isMany || isValues ? "" : `, together ${percent(left)}`}`;
  }
  return { panel, show };
}

/** One class or value of the panel. */
function answerSlot() {
  const name = element("span", { class: "class-name" });
  const bar = element("i");
  const mark = element("u");
  const figure = element("b");
  const track = isValues ? "" : element("span", { class: "track", "aria-hidden": "true" }, bar, mark);
  const item = element("li", {}, name, track, figure);
  function show(place, answers, example) {
    const value = answers[place];
    name.replaceChildren(isValues ? `value ${place + 1}` : nameOf(data.classes[place], 40));
    figure.textContent = isValues ? short(value) : percent(value);
    figure.title = String(value);
    if (isValues) return;
    item.classList.toggle("decided", isMany ? value > 0.5 : place === largest(answers));
    bar.style.width = `${100 * Math.min(Math.max(value, 0), 1)}%`;
    mark.hidden = !example;
    if (example) mark.style.left = `${100 * Math.min(Math.max(example.teacher[place], 0), 1)}%`;
  }
  return { item, show };
}

/** What the teacher said of a recorded row. */
function teacherWords(example) {
  const said = decision(example.teacher);
  const sure = isValues || isMany ? "" : ` with probability ${percent(Math.max(...example.teacher))}`;
  const truth = example.truth === "" ? "" : `; the truth is ${printable(example.truth)}`;
  const marks = isValues ? "" : element("small", {}, " A line in a bar is the teacher's probability.");
  return [`The teacher's recorded answer to ${example.name}: `, element("strong", {}, said), `${sure}${truth}.`, marks];
}
