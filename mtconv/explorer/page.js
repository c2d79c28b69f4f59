"use strict";

// The controls, and what follows from every change.

const NAMES = {
  size: "Input size", kernel: "Kernel size", stride: "Stride", dilation: "Dilation",
  lo: "Padding before", hi: "Padding after", extra: "Output padding",
};
const FRAMEWORKS = {
  mtconv: "mtconv", torch: "PyTorch", jax: "JAX (lax)", flax: "Flax", keras: "Keras",
  tensorflow: "TensorFlow", onnx: "ONNX",
};

const byId = (id) => document.getElementById(id);
let state = readLink(location.hash) || readLink(START);
let selection = null;
let show = "index";

const copyOf = (value) => JSON.parse(JSON.stringify(value));

// ------------------------------------------------------------------------- controls

function axisName(n) {
  if (state.axes.length === 1) return "Axis";
  return ["Rows", "Columns"][n];
}

function fieldControl(n, field) {
  const id = `${field}-${n}`;
  const value = state.axes[n][field];
  const least = Math.min(LEAST[field], value);
  const most = Math.max(MOST[field], value);
  return `<div class="field"><label for="${id}">${NAMES[field]}</label>` +
    `<input type="range" aria-label="${axisName(n)}: ${NAMES[field]}, slider" ` +
    `min="${least}" max="${most}" value="${value}" data-axis="${n}" data-field="${field}">` +
    `<input type="number" id="${id}" min="${field === "lo" || field === "hi" ? -LARGEST : LEAST[field]}" ` +
    `max="${LARGEST}" value="${value}" data-axis="${n}" data-field="${field}"></div>`;
}

function drawControls() {
  const transposed = isTransposed(state);
  const fields = FIELDS.filter((field) => transposed || field !== "extra");
  byId("axes").innerHTML = state.axes.map((_, n) =>
    `<fieldset><legend>${axisName(n)}</legend>` +
    fields.map((field) => fieldControl(n, field)).join("") +
    (transposed ? `<div class="field legal" id="legal-${n}"></div>` : "") +
    "</fieldset>").join("");
  for (const input of document.querySelectorAll("input[name=form]")) {
    input.checked = input.value === state.form;
  }
  for (const input of document.querySelectorAll("input[name=rank]")) {
    input.checked = Number(input.value) === state.axes.length;
  }
}

// Keep the slider and the number field of one value together.
function syncField(n, field) {
  for (const input of document.querySelectorAll(
    `[data-axis="${n}"][data-field="${field}"]`)) {
    const value = state.axes[n][field];
    if (input.type === "range") {
      input.min = Math.min(input.min, value);
      input.max = Math.max(input.max, value);
    }
    if (document.activeElement !== input || Number(input.value) !== value) {
      input.value = value;
    }
  }
}

function drawLegal(model) {
  model.legal.forEach((sizes, n) => {
    const { size, kernel, stride, dilation, lo, hi } = state.axes[n];
    const base = baseSize(size, kernel, stride, dilation, lo, hi);
    byId(`legal-${n}`).innerHTML = `<label for="output-${n}">Output size</label>` +
      `<select id="output-${n}" data-output="${n}">` +
      sizes.map((value) => `<option value="${value - base}"` +
        `${value === model.axes[n].big ? " selected" : ""}>${value}</option>`).join("") +
      "</select>";
  });
}

// -------------------------------------------------------------------------- drawing

function drawAll() {
  const model = describe(state);
  const failed = model.errors.some((error) => error !== null);
  byId("problem").textContent = failed
    ? model.errors.map((error, n) => error && `${axisName(n)}: ${error}`)
      .filter(Boolean).join(" ")
    : "";
  byId("results").hidden = failed;
  history.replaceState(null, "", `#${writeLink(state)}`);
  if (failed) return;
  if (selection && !selection.every((o, n) => o < model.outputSize[n])) selection = null;
  if (isTransposed(state)) drawLegal(model);
  drawSizes(model);
  drawPictures(model);
  drawElement(model);
  drawOverlap(model);
  const matrix = drawMatrix(model);
  byId("matrix").innerHTML = matrix ||
    `<p>The matrix is drawn up to ${MOST_MATRIX} elements on each side.</p>`;
  drawCalls(model);
}

function drawSizes(model) {
  byId("sizes").textContent =
    `${model.inputSize.join(" × ")} → ${model.outputSize.join(" × ")}`;
  byId("formulas").innerHTML = model.axes.map((axis, n) => {
    const { relation, size } = formulas(state, model, n);
    const name = model.axes.length === 1 ? "Relation and size" : axisName(n);
    return `<dt>${name}</dt><dd class="formula">${relation}</dd><dd class="formula">${size}</dd>`;
  }).join("");
}

const LEGENDS = {
  conv_transpose: [["cropped", "cropped by the padding"], ["added", "output padding"],
    ["empty", "no tap reaches it"]],
  conv: [["cropped", "padding, zeros"], ["unread", "no tap reads it"]],
};

function drawLegend() {
  byId("legend").innerHTML = "<span>Colour: the phase, <i>o</i> modulo the stride.</span>" +
    LEGENDS[state.form].map(([kind, words]) =>
      `<span><i class="swatch ${kind}"></i>${words}</span>`).join("");
}

function drawPictures(model) {
  drawLegend();
  byId("kernel").innerHTML = drawKernel(model, selection);
  const flat = model.axes.length === 1;
  byId("line").hidden = !flat;
  byId("grids").hidden = flat;
  if (flat) {
    byId("line").innerHTML = drawLine(model, selection, show);
    return;
  }
  const sides = isTransposed(state) ? ["small", "big"] : ["big", "small"];
  byId("input").innerHTML = drawGrid(model, sides[0], selection, show);
  byId("output").innerHTML = drawGrid(model, sides[1], selection, show);
}

function drawElement(model) {
  const slider = byId("element");
  slider.max = model.outputSize.reduce((a, b) => a * b, 1);
  slider.value = selection ? ravel(selection, model.outputSize) + 1 : 0;
  if (!selection) {
    byId("sum").textContent = "Choose an element of the result to see its sum.";
    slider.setAttribute("aria-valuetext", "none");
    return;
  }
  const terms = termsOf(model, selection).map((term) =>
    `x[${term.input.join(", ")}]·w[${term.tap.join(", ")}]`);
  const name = `y[${selection.join(", ")}]`;
  slider.setAttribute("aria-valuetext", name);
  byId("sum").textContent = `${name} = ${terms.join(" + ") || "0: no tap reaches it"}`;
}

function drawOverlap(model) {
  const { counts, advice, axes } = model;
  byId("overlap").hidden = !isTransposed(state);
  if (!isTransposed(state)) return;
  byId("advice").innerHTML = axes.map((_, n) =>
    `<li>${axes.length === 1 ? "" : `${axisName(n)}: `}${advice[n]}</li>`).join("");
  const rows = axes.length === 2 ? counts[0] : [1];
  const columns = counts[counts.length - 1];
  const most = Math.max(...rows) * Math.max(...columns);
  byId("counts").innerHTML = rows.map((row) => `<tr>${columns.map((column) => {
    const count = row * column;
    const share = most ? Math.round((count / most) * 70) : 0;
    return `<td style="--share:${share}%">${count}</td>`;
  }).join("")}</tr>`).join("");
}

function drawCalls(model) {
  byId("calls").innerHTML = Object.entries(model.calls).map(([key, written]) => {
    const head = `<h3>${FRAMEWORKS[key]}</h3>`;
    if (written.reason) return `<section>${head}<p>${escapeText(written.reason)}</p></section>`;
    return `<section>${head}<pre tabindex="0" data-call="${key}"><code>` +
      `${escapeText(written.text)}</code></pre>` +
      `<p class="note">${escapeText(written.note)}</p>` +
      `<button type="button" data-copy="${key}">Copy the ${FRAMEWORKS[key]} call</button>` +
      "</section>";
  }).join("");
}

// --------------------------------------------------------------------------- events

function setField(n, field, value) {
  if (!Number.isInteger(value)) return;
  state.axes[n][field] = clamp(field, value);
  syncField(n, field);
  drawAll();
}

function setRank(rank) {
  state.axes = rank === 2
    ? [state.axes[0], state.axes[1] || copyOf(state.axes[0])] : [state.axes[0]];
  selection = null;
  drawControls();
  drawAll();
}

function setForm(form) {
  // The other map takes the result's size to the input's.
  const model = describe(state);
  if (form !== state.form && model.axes) {
    state.axes.forEach((axis, n) => {
      axis.size = clamp("size", model.outputSize[n]);
      if (form === "conv_transpose") {
        const { size, kernel, stride, dilation, lo, hi } = axis;
        axis.extra = Math.min(Math.max(
          model.inputSize[n] - baseSize(size, kernel, stride, dilation, lo, hi), 0),
        stride - 1);
      }
    });
  }
  state.form = form;
  selection = null;
  drawControls();
  drawAll();
}

function choose(place) {
  selection = place;
  drawAll();
}

function placeOf(target) {
  const cell = target.closest("[data-big],[data-small]");
  if (!cell) return null;
  const name = isTransposed(state) ? "big" : "small";
  return cell.dataset[name] ? cell.dataset[name].split(",").map(Number) : null;
}

document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.dataset.field) {
    setField(Number(target.dataset.axis), target.dataset.field, Number(target.value));
  } else if (target.dataset.output) {
    setField(Number(target.dataset.output), "extra", Number(target.value));
  } else if (target.name === "form") setForm(target.value);
  else if (target.name === "rank") setRank(Number(target.value));
  else if (target.id === "show") {
    show = target.value;
    drawAll();
  } else if (target.id === "element") {
    const number = Number(target.value);
    choose(number ? unravel(number - 1, describe(state).outputSize) : null);
  }
});

for (const name of ["pointerover", "click"]) {
  byId("pictures").addEventListener(name, (event) => {
    const place = placeOf(event.target);
    if (place && !(selection && same(place, selection))) choose(place);
  });
}

document.addEventListener("click", async (event) => {
  const { copy } = event.target.dataset;
  if (!copy && event.target.id !== "copy-link") return;
  const copied = copy ? describe(state).calls[copy].text : location.href;
  try {
    await navigator.clipboard.writeText(copied);
    byId("copied").textContent = "Copied.";
  } catch {
    byId("copied").textContent = `Copy this: ${copied}`;
  }
});

window.addEventListener("hashchange", () => {
  const read = readLink(location.hash);
  if (!read || writeLink(read) === writeLink(state)) return;
  state = read;
  selection = null;
  drawControls();
  drawAll();
});

drawControls();
drawAll();
