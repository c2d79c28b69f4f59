"use strict";

// The same layer as a call of each framework, or the reason why it has none.
// x is the input in the framework's own layout; `kernel` is in its own layout as well.

const text = (value) => {
  if (typeof value === "string") return `"${value}"`;
  if (!Array.isArray(value)) return String(value);
  return `(${value.map(text).join(", ")}${value.length === 1 ? "," : ""})`;
};
const list = (values) => `[${values.join(", ")}]`;

// One number where all axes agree.
const short = (values) => (values.every((v) => v === values[0]) ? values[0] : values);

const call = (name, parts) => {
  const written = parts.filter((part) => part !== null);
  const line = `${name}(${written.join(", ")})`;
  return line.length <= 60 ? line : `${name}(\n    ${written.join(",\n    ")},\n)`;
};

const option = (name, values, plain) =>
  values.every((v) => v === plain) ? null : `${name}=${text(short(values))}`;

const pairOption = (name, pairs) => {
  if (pairs.every(([lo, hi]) => lo === 0 && hi === 0)) return null;
  if (pairs.every(([lo, hi]) => lo === hi)) return `${name}=${text(short(pairs.map((p) => p[0])))}`;
  return `${name}=${text(pairs)}`;
};

const of = (axes, field) => axes.map((axis) => axis[field]);
const because = (reason) => ({ reason });
const says = (lines, note) => ({ text: lines, note });

const FIRST = "Channels first; kernel (C_in, C_out, *k).";
const FIRST_CONV = "Channels first; kernel (C_out, C_in, *k).";
const CONVERT = (name) =>
  `Channels last; kernel: mtconv.compat.convert_kernel(kernel, "mtconv", "${name}").`;
const LAST_CONV = "Channels last; kernel (*k, C_in, C_out).";

// ------------------------------------------------------------------ conv_transpose

function transposedCalls(state, axes) {
  const chosen = state.axes;
  const rank = axes.length;
  const stride = of(axes, "stride");
  const dilation = of(axes, "dilation");
  const pads = chosen.map((axis) => [axis.lo, axis.hi]);
  return {
    mtconv: says(call("mtconv.conv_transpose", ["x", "kernel",
      option("stride", stride, 1), pairOption("padding", pads),
      option("output_padding", of(chosen, "extra"), 0),
      option("dilation", dilation, 1)]), FIRST),
    torch: torchTransposed(axes, rank),
    jax: says(call("jax.lax.conv_transpose", ["x", "kernel", `strides=${text(stride)}`,
      `padding=${text(laxPads(axes))}`,
      dilation.every((d) => d === 1) ? null : `rhs_dilation=${text(dilation)}`]),
    CONVERT("jax")),
    flax: says(call("flax.linen.ConvTranspose", ["features=kernel.shape[-1]",
      `kernel_size=${text(of(axes, "kernel"))}`, `strides=${text(stride)}`,
      `padding=${text(laxPads(axes))}`,
      dilation.every((d) => d === 1) ? null : `kernel_dilation=${text(dilation)}`]),
    CONVERT("flax")),
    keras: kerasTransposed(axes),
    tensorflow: tensorflowTransposed(axes),
    onnx: onnxTransposed(axes),
  };
}

function torchTransposed(axes, rank) {
  const extra = axes.map((axis) => axis.lo - axis.hi);
  const legal = axes.every((axis, n) =>
    axis.lo >= 0 && extra[n] >= 0 && extra[n] < Math.max(axis.stride, axis.dilation));
  if (!legal) {
    return because("torch crops `padding` at both ends, less output_padding. " +
      "Run it with padding 0 and slice the result.");
  }
  return says(call(`torch.nn.functional.conv_transpose${rank}d`, ["x", "kernel",
    option("stride", of(axes, "stride"), 1), option("padding", of(axes, "lo"), 0),
    option("output_padding", extra, 0), option("dilation", of(axes, "dilation"), 1)]), FIRST);
}

const laxPads = (axes) =>
  axes.map((axis) => [axis.extent - 1 - axis.lo, axis.extent - 1 - axis.hi]);

function kerasTransposed(axes) {
  for (const padding of ["valid", "same"]) {
    for (const inferred of [true, false]) {
      const extra = axes.map((axis) => axis.big - axis.stride * (axis.small - 1) -
        (padding === "valid" ? axis.extent : axis.extent % 2));
      if (!inferred && Math.min(...extra) < 0) continue;
      const fits = axes.every((axis, n) => {
        const [lo, hi] = kerasCrops(axis, padding, inferred ? null : extra[n]);
        return lo === axis.lo && hi === axis.hi;
      });
      if (fits) {
        return says(call("keras.ops.conv_transpose", ["x", "kernel",
          `strides=${text(short(of(axes, "stride")))}`, `padding="${padding}"`,
          inferred ? null : `output_padding=${text(short(extra))}`,
          option("dilation_rate", of(axes, "dilation"), 1)]), CONVERT("keras"));
      }
    }
  }
  return because("Keras has only the crops of its two words, valid and same. " +
    "Run it with valid and slice the result.");
}

function kerasCrops(axis, padding, extra) {
  if (padding === "valid") {
    return [0, extra === null ? Math.min(0, axis.extent - axis.stride) : -extra];
  }
  const total = extra === null ? axis.extent - axis.stride
    : axis.extent - (axis.extent % 2) - extra;
  const lo = Math.max(Math.trunc(total / 2), 0);
  return [lo, total - lo];
}

function tensorflowTransposed(axes) {
  const fits = (kind) => axes.every((axis) => {
    const lo = kind === "EXPLICIT" ? axis.lo : 0;
    const hi = kind === "EXPLICIT" ? Math.max(axis.hi, 0) : 0;
    if (kind === "SAME") {
      const total = Math.max((axis.small - 1) * axis.stride + axis.extent - axis.big, 0);
      return Math.ceil(axis.big / axis.stride) === axis.small &&
        Math.floor(total / 2) === axis.lo;
    }
    const size = Math.floor((axis.big + lo + hi - axis.extent) / axis.stride) + 1;
    return lo >= 0 && size === axis.small && lo === axis.lo;
  });
  const kinds = axes.length === 2 ? ["SAME", "VALID", "EXPLICIT"] : ["SAME", "VALID"];
  const kind = kinds.find(fits);
  if (!kind) {
    return because("TensorFlow has only SAME, VALID and, in 2-D, pairs that are not negative.");
  }
  const pairs = [[0, 0], ...axes.map((axis) => [axis.lo, Math.max(axis.hi, 0)]), [0, 0]];
  const padding = kind === "EXPLICIT" ? text(pairs) : `"${kind}"`;
  const shape = ["x.shape[0]", ...of(axes, "big"), "kernel.shape[-2]"].join(", ");
  return says(call("tf.nn.conv_transpose", ["x", "kernel", `output_shape=(${shape})`,
    `strides=${text(of(axes, "stride"))}`, `padding=${padding}`,
    axes.every((axis) => axis.dilation === 1) ? null
      : `dilations=${text(of(axes, "dilation"))}`]), CONVERT("tensorflow"));
}

function onnxTransposed(axes) {
  const extra = axes.map((axis) => Math.max(-axis.hi, 0));
  if (axes.some((axis) => axis.lo < 0)) return because("ONNX has no negative pads.");
  if (axes.some((axis, n) => extra[n] >= axis.stride)) {
    return because("The output_padding of ONNX is less than the stride.");
  }
  const pads = [...of(axes, "lo"), ...axes.map((axis) => Math.max(axis.hi, 0))];
  return onnxNode("ConvTranspose", axes, pads, extra.some((q) => q)
    ? `output_padding=${list(extra)}` : null, FIRST);
}

const onnxNode = (operator, axes, pads, extra, note) =>
  says(call("onnx.helper.make_node", [`"${operator}"`, '["x", "kernel"]', '["y"]',
    `strides=${list(of(axes, "stride"))}`, `pads=${list(pads)}`, extra,
    axes.every((axis) => axis.dilation === 1) ? null
      : `dilations=${list(of(axes, "dilation"))}`]), note);

// ---------------------------------------------------------------------------- conv

function plainCalls(state, axes) {
  const chosen = state.axes;
  const rank = axes.length;
  const pads = chosen.map((axis) => [axis.lo, axis.hi]);
  const stride = of(axes, "stride");
  const dilation = of(axes, "dilation");
  const spread = (name) =>
    dilation.every((d) => d === 1) ? null : `${name}=${text(dilation)}`;
  return {
    mtconv: says(call("mtconv.conv", ["x", "kernel", option("stride", stride, 1),
      pairOption("padding", pads), option("dilation", dilation, 1)]), FIRST_CONV),
    torch: torchPlain(axes, rank),
    jax: says(call("jax.lax.conv_general_dilated", ["x", "kernel",
      `window_strides=${text(stride)}`, `padding=${text(pads)}`, spread("rhs_dilation")]),
    FIRST_CONV),
    flax: says(call("flax.linen.Conv", ["features=kernel.shape[-1]",
      `kernel_size=${text(of(axes, "kernel"))}`, `strides=${text(stride)}`,
      `padding=${text(pads)}`, spread("kernel_dilation")]), LAST_CONV),
    keras: wordPlain(axes, "Keras", (word) => call("keras.ops.conv", ["x", "kernel",
      `strides=${text(short(stride))}`, `padding="${word}"`,
      option("dilation_rate", dilation, 1)])),
    tensorflow: wordPlain(axes, "TensorFlow", (word) => call("tf.nn.convolution", ["x",
      "kernel", `strides=${text(stride)}`, `padding="${word.toUpperCase()}"`,
      spread("dilations")])),
    onnx: chosen.some((axis) => axis.lo < 0 || axis.hi < 0)
      ? because("ONNX has no negative pads.")
      : onnxNode("Conv", axes, [...of(chosen, "lo"), ...of(chosen, "hi")], null, FIRST_CONV),
  };
}

function torchPlain(axes, rank) {
  const fits = axes.every((axis) => axis.lo >= 0 && axis.small ===
    smallSize(axis.big, axis.kernel, axis.stride, axis.dilation, axis.lo, axis.lo));
  if (!fits) {
    return because("torch pads both ends alike. Pad with torch.nn.functional.pad first.");
  }
  return says(call(`torch.nn.functional.conv${rank}d`, ["x", "kernel",
    option("stride", of(axes, "stride"), 1), option("padding", of(axes, "lo"), 0),
    option("dilation", of(axes, "dilation"), 1)]), FIRST_CONV);
}

// Frameworks whose padding is one of two words, "same" as TensorFlow means it.
function wordPlain(axes, name, write) {
  const fits = { valid: isValid, same: isSame };
  const word = Object.keys(fits).find((key) => axes.every(fits[key]));
  if (!word) return because(`${name} has only two words for the padding, valid and same.`);
  if (axes.some((axis) => axis.stride > 1) && axes.some((axis) => axis.dilation > 1)) {
    return because(`${name} takes no stride together with a dilation.`);
  }
  return says(write(word), LAST_CONV);
}

const isValid = (axis) => axis.lo === 0 && axis.hi <= 0 && -axis.hi < axis.stride;

function isSame(axis) {
  const total = Math.max((axis.small - 1) * axis.stride + axis.extent - axis.big, 0);
  return axis.small === Math.ceil(axis.big / axis.stride) &&
    axis.lo === Math.floor(total / 2);
}

const frameworkCalls = (state, axes) =>
  isTransposed(state) ? transposedCalls(state, axes) : plainCalls(state, axes);
