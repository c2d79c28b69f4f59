"use strict";

// What the reader chose, the link that holds it, and the axes that follow from it.

const FORMS = ["conv_transpose", "conv"];
const FIELDS = ["size", "kernel", "stride", "dilation", "lo", "hi", "extra"];
const LEAST = { size: 1, kernel: 1, stride: 1, dilation: 1, lo: -9, hi: -9, extra: 0 };
const MOST = { size: 16, kernel: 9, stride: 8, dilation: 5, lo: 9, hi: 9, extra: 7 };
// Larger values can be typed, but not these.
const LARGEST = 99;

const isTransposed = (state) => state.form === "conv_transpose";

// "form=conv&axes=7,3,2,1,1,1,0" with one group of seven integers per axis.
function writeLink(state) {
  const axes = state.axes.map((axis) => FIELDS.map((field) => axis[field]).join(","));
  return `form=${state.form}&axes=${axes.join(";")}`;
}

function readLink(text) {
  const parts = new URLSearchParams(text.replace(/^#/, ""));
  const form = FORMS.includes(parts.get("form")) ? parts.get("form") : FORMS[0];
  const axes = (parts.get("axes") || "").split(";").map((group) => {
    const numbers = group.split(",").map((part) => Number.parseInt(part, 10));
    if (numbers.length !== FIELDS.length || !numbers.every(Number.isInteger)) return null;
    return Object.fromEntries(FIELDS.map((field, n) => [field, clamp(field, numbers[n])]));
  });
  if (axes.length > 2 || axes.includes(null)) return null;
  return { form, axes };
}

function clamp(field, number) {
  const least = field === "lo" || field === "hi" ? -LARGEST : LEAST[field];
  return Math.min(Math.max(number, least), LARGEST);
}

// The axis of one group of numbers, or the reason why there is none.
function resolveAxis(form, chosen) {
  const { size, kernel, stride, dilation, lo, hi, extra } = chosen;
  if (form === "conv") {
    const small = smallSize(size, kernel, stride, dilation, lo, hi);
    if (small < 1) {
      const extent = dilation * (kernel - 1) + 1;
      return { error: `The kernel spans ${extent} elements and the padded input has only ` +
        `${size + lo + hi}. Pad more, or choose a smaller kernel or dilation.` };
    }
    return { axis: makeAxis(small, size, kernel, stride, dilation, lo) };
  }
  if (extra >= stride) {
    return { error: `The output padding must be less than the stride, ${stride}. ` +
      "A larger result needs a larger input." };
  }
  const big = baseSize(size, kernel, stride, dilation, lo, hi) + extra;
  if (big < 1) {
    return { error: `The padding leaves ${big} elements of the result. ` +
      "Pad less, or choose a larger input." };
  }
  return { axis: makeAxis(size, big, kernel, stride, dilation, lo) };
}

// Everything that the page shows, as plain data.
function describe(state) {
  const resolved = state.axes.map((axis) => resolveAxis(state.form, axis));
  const errors = resolved.map((item) => item.error || null);
  if (errors.some((error) => error !== null)) return { state, errors };
  const axes = resolved.map((item) => item.axis);
  const transposed = isTransposed(state);
  const legal = transposed
    ? state.axes.map((a) => bigSizes(a.size, a.kernel, a.stride, a.dilation, a.lo, a.hi))
    : null;
  return {
    state,
    errors,
    axes,
    inputSize: axes.map((axis) => (transposed ? axis.small : axis.big)),
    outputSize: axes.map((axis) => (transposed ? axis.big : axis.small)),
    legal,
    counts: axes.map(tapCounts),
    advice: axes.map(overlapAdvice),
    calls: frameworkCalls(state, axes),
  };
}

// The formulas of one axis with its numbers.
function formulas(state, model, n) {
  const axis = model.axes[n];
  const chosen = state.axes[n];
  const shift = axis.lo ? ` ${axis.lo > 0 ? "−" : "+"} ${Math.abs(axis.lo)}` : "";
  const relation = `o = ${axis.stride}·i + ${axis.dilation}·j${shift}`;
  const minus = (value) => (value < 0 ? `+ ${-value}` : `− ${value}`);
  const plus = (value) => (value < 0 ? `− ${-value}` : `+ ${value}`);
  const span = `${axis.dilation}·(${axis.kernel} − 1) + 1`;
  const size = isTransposed(state)
    ? `${axis.big} = ${axis.stride}·(${axis.small} − 1) + ${span} ` +
      `${minus(chosen.lo)} ${minus(chosen.hi)} + ${chosen.extra}`
    : `${axis.small} = ⌊(${axis.big} ${plus(chosen.lo)} ${plus(chosen.hi)} ` +
      `− (${span})) / ${axis.stride}⌋ + 1`;
  return { relation, size };
}
