"""Random command lines: words that mean something, in any order and with any value."""

import random

COMMANDS = ("shape", "explain", "draw", "verify", "convert", "demo")
VALUES = (
    *(
        "0",
        "1",
        "2",
        "-1",
        "3",
        "1,2",
        "1:2,0:1",
        "::",
        ",",
        "1,",
        "",
        " ",
        "x",
        "nan",
        "inf",
    ),
    *(
        "same",
        "valid",
        "9" * 30,
        "9" * 5000,
        "1e9",
        "0x10",
        "é",
        "\u0663",
        "--",
        "-",
        "true",
    ),
    *("1,3,4,4", "3,8,2,2", "4", "3", "1,3,4", "3,8,3", "5,5", "2,2,2,2,2,2", "None", "{}"),
    *(
        "NCHW",
        "HWIO",
        "conv",
        "kernel_grad",
        "circular",
        "reflect",
        "float32",
        "jax",
        "fft",
    ),
    *(
        "a/b.svg",
        ".svg",
        "/",
        "..",
        "missing/x.npz",
        "x.safetensors",
        "\x00",
        "\ud800",
        "*",
    ),
)
FLAGS = (
    *("--stride", "--padding", "--output-padding", "--output-size", "--dilation"),
    *("--groups", "--padding-mode", "--layout", "--kernel-layout", "--form", "--dtype"),
    *("--backend", "--algorithm", "--json", "--theme", "--overlap", "--move", "-o"),
    *("--seconds", "--seed", "--framework", "--export", "--cases", "--src", "--dst"),
    *("--output", "--rename", "--list", "--guess", "--transposed", "--html", "--help"),
)
SHAPES = (("1,3,4,4", "3,8,2,2"), ("1,3,6", "3,8,3"), ("5,5", "2,2"), ("6", "3"))


def command_line(seed):
    """Return the words of one command line, most of them not quite right."""
    rng = random.Random(seed)
    command = rng.choice(COMMANDS)
    words = []
    if rng.random() < 0.7:
        words += rng.choice(SHAPES)
    for _ in range(rng.randrange(4)):
        flag, value = rng.choice(FLAGS), rng.choice(VALUES)
        words += [f"{flag}={value}"] if rng.random() < 0.5 else [flag, value]
    if rng.random() < 0.2:
        words.insert(rng.randrange(len(words) + 1), rng.choice(VALUES))
    if command == "verify" and not any("--export" in word for word in words):
        words += ["--seconds", rng.choice(("0", "nan", "-1")), "--backend", "sparse"]
    return [command, *words]
