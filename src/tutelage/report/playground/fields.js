const FIRST_COLUMNS = 16;

/** The form of a table or a text: a field for each column. `changed` is called with the row. */
function rowForm(changed) {
  const whole = () => changed(fields.map((one) => one.cell()));
  const isMissing = (place) => data.examples.some((one) => one.row[place] === null);
  const columns = data.columns.map((column, place) => ({ ...column, gaps: column.gaps || isMissing(place) }));
  const fields = columns.map((column, place) => (FIELDS[column.kind] ?? numberField)(column, place, whole));
  const form = element("div", { class: "fields" }, ...fields.slice(0, FIRST_COLUMNS).map((one) => one.item));
  const others = fields.slice(FIRST_COLUMNS);
  if (others.length) {
    const inside = element("div", { class: "fields" }, ...others.map((one) => one.item));
    form.append(element("details", {}, element("summary", {}, `${counted(others.length, "more column")}`), inside));
  }
  const show = (row) => fields.forEach((one, place) => one.show(row[place]));
  return { form, show };
}

/** A made row: the start of each column; for texts some words. */
function madeRow() {
  return isText ? [data.words.join(" ")] : data.columns.map((column) => column.start);
}

/** A step for a range that is crossed in about 200 of them: 1, 2 or 5 times a power of ten. */
function stepOf(column) {
  const rough = (column.high - column.low) / 200;
  if (!(rough > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  return column.whole ? Math.max(1, Math.round(step)) : Number(step.toPrecision(1));
}

/** A field with its name, in which inputs are put; a switch says that the cell is missing. */
function fieldOf(column, place, inputs, toggled) {
  const id = `playground-${place}`;
  inputs[0].id = id;
  const label = element("label", { for: id }, nameOf(columnName(column, place)));
  const item = element("div", { class: `field ${column.kind}` }, label, ...inputs);
  if (!column.gaps || column.kind === "levels" || column.kind === "text") return { item, gap: null };
  const gap = element("input", { type: "checkbox" });
  gap.addEventListener("change", toggled);
  item.append(element("label", { class: "gap" }, gap, " missing"));
  return { item, gap };
}

/** A number or a date: a slider, and a field for any other value. */
function numberField(column, place, changed) {
  const isDate = column.kind === "date";
  let cell = column.start;
  const slider = element("input", { type: "range", min: column.low, max: column.high, step: stepOf(column) });
  const name = `${printable(columnName(column, place))}, exactly`;
  const exact = element("input", { type: isDate ? "date" : "number", step: "any", "aria-label": name });
  const text = (value) => (isDate ? dateOf(value) : String(value));
  const { item, gap } = fieldOf(column, place, [slider, exact], () => {
    cell = gap.checked ? null : Number(slider.value);
    show(cell);
    changed();
  });
  slider.addEventListener("input", () => {
    show(Number(slider.value));
    changed();
  });
  exact.addEventListener("input", () => {
    const value = isDate ? exact.valueAsNumber / DAY : exact.valueAsNumber;
    if (Number.isNaN(value)) return;
    cell = value;
    slider.value = value;
    changed();
  });
  exact.addEventListener("change", () => show(cell));
  function show(value) {
    cell = value;
    const missing = value === null;
    if (gap) gap.checked = missing;
    slider.disabled = exact.disabled = missing;
    exact.value = missing ? "" : text(value);
    if (!missing) slider.value = value;
    slider.setAttribute("aria-valuetext", missing ? "missing" : isDate ? text(value) : short(value));
  }
  show(cell);
  return { item, show, cell: () => cell };
}

/** One of some levels: a menu. */
function levelField(column, place, changed) {
  const cells = column.gaps ? [...column.levels, null] : column.levels;
  const named = cells.map((level, at) => (level === null ? "(missing)" : level === "" ? "(empty)" : printable(column.named[at] ?? level)));
  let cell = column.start;
  let other = null;
  const menu = element("select", {}, ...named.map((name, at) => element("option", { value: at }, name)));
  const { item } = fieldOf(column, place, [menu], changed);
  menu.addEventListener("change", () => {
    const at = Number(menu.value);
    cell = at < cells.length ? cells[at] : other;
    changed();
  });
  function show(value) {
    cell = value;
    const known = cells.indexOf(value);
    menu.querySelector("[data-other]")?.remove();
    if (known < 0) {
      other = value;
      menu.append(element("option", { value: cells.length, "data-other": "" }, value === null ? "(missing)" : printable(value)));
    }
    menu.value = known < 0 ? cells.length : known;
  }
  show(cell);
  return { item, show, cell: () => cell };
}

/** A text: a box. */
function textField(column, place, changed) {
  const box = element("textarea", { rows: isText ? 5 : 2, spellcheck: "false", dir: "auto" });
  const { item } = fieldOf({ ...column, name: isText && column.name === null ? "The text" : column.name }, place, [box], changed);
  box.addEventListener("input", changed);
  const show = (value) => {
    box.value = value ?? "";
  };
  show(column.start);
  return { item, show, cell: () => box.value };
}

const FIELDS = { levels: levelField, text: textField };
