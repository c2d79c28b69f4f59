"""JAX is told of each class once, by whichever thread, and not while it is imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress

import pytest

from mtconv import pytrees

pytest.importorskip("jax")

# A thread imports JAX, and is held in the import of a part of it. Meanwhile objects of all
# kinds are made and used on this thread.
HELD = """
import sys, threading
import numpy as np
import mtconv
from mtconv import streaming

mtconv.Conv  # imported before
WITHIN, importing = sys.argv[1:]
inside, go_on, errors = threading.Event(), threading.Event(), []

class Holding:
    def find_spec(self, name, path=None, target=None):
        if name == WITHIN and not inside.is_set():
            inside.set()
            assert go_on.wait(60)

def first():
    try:
        if importing == "user":
            import jax
        else:
            result = mtconv.conv_transpose([1.0, 2.0], [1.0, 10.0], backend="jax")
            assert np.asarray(result).tolist() == [1, 12, 20]
    except BaseException as error:
        errors.append(repr(error))

sys.meta_path.insert(0, Holding())
thread = threading.Thread(target=first)
thread.start()
assert inside.wait(60)
assert "jax" in sys.modules

operators = [
    mtconv.Conv([1, 10], input_size=3),
    mtconv.Conv([1, 10], input_size=3).T,
    mtconv.ConvTranspose([1, 10], input_size=2),
]
assert [(operators[0] @ np.array([1, 2, 3])).tolist()] == [[21, 32]]
layer = streaming.ConvStream([1, 10])
layers = streaming.chain(layer, streaming.residual(streaming.ConvStream([2])))
state, output = layer.step(layer.start(), [1, 2, 3])
assert output.tolist() == [21, 32]
both, output = layers.step(layers.start(), [1, 2, 3])
assert output.tolist() == [63, 96]
inverse = streaming.InverseSTFTStream(4)
go_on.set()
thread.join()
assert not errors, errors

import jax
if importing == "user":
    streaming.ConvStream([1, 10])  # the next object of any class
for part in (*operators, layer, layers, inverse, state):
    assert not jax.tree_util.all_leaves([part]), part
doubled = jax.jit(lambda op, x: 2 * op(x))(operators[0], np.float32([1, 2, 3]))
assert doubled.tolist() == [42, 64]
assert jax.jit(layer.flush)(state).tolist() == []
print("right")
"""


@pytest.mark.parametrize("importing", ["user", "mtconv"])
@pytest.mark.parametrize("within", ["jax._src", "jax.numpy"])
def test_objects_can_be_made_while_another_thread_imports_jax(within, importing):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HELD), within, importing],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.stdout, done.stderr) == ("right\n", "")


class Pair:
    """Two parts, of which JAX does not know yet."""

    def __init__(self, parts):
        self.parts = parts


@pytest.fixture
def pair():
    """A class of its own for each test."""
    return type("Pair", (Pair,), {})


def register(cls):
    pytrees.register(cls, lambda pair: (pair.parts, None), lambda _, parts: cls(parts))


def leaves(cls):
    import jax

    return jax.tree.leaves({"a": cls((3, 5))})


def test_threads_register_a_class_at_once(pair, monkeypatch):
    import jax

    tell, told = jax.tree_util.register_pytree_node, []

    def slowly(*arguments):
        told.append(arguments[0])
        time.sleep(0.05)
        tell(*arguments)

    monkeypatch.setattr(jax.tree_util, "register_pytree_node", slowly)
    begin, results = threading.Barrier(6), []

    def use():
        begin.wait()
        register(pair)
        results.append(leaves(pair))

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[3, 5]] * 6
    assert told == [pair]


@pytest.mark.parametrize("registered", [False, True])
def test_a_class_can_be_registered_after_an_interrupt(pair, monkeypatch, registered):
    import jax

    tell = jax.tree_util.register_pytree_node

    def interrupted(*arguments):
        if registered:
            tell(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jax.tree_util, "register_pytree_node", interrupted)
        with pytest.raises(KeyboardInterrupt):
            register(pair)
    register(pair)
    assert leaves(pair) == [3, 5]


@pytest.mark.parametrize("registered", [False, True])
def test_a_class_can_be_registered_where_the_thread_that_began_to_is_gone(
    pair, monkeypatch, registered
):
    # As in the child of a fork.
    import jax

    tell = jax.tree_util.register_pytree_node

    def interrupted(*arguments):
        if registered:
            tell(*arguments)
        raise SystemExit

    def begin(cls):
        with suppress(SystemExit):
            register(cls)

    with monkeypatch.context() as patch:
        patch.setattr(jax.tree_util, "register_pytree_node", interrupted)
        thread = threading.Thread(target=begin, args=(pair,))
        thread.start()
        thread.join()
    monkeypatch.setattr(pytrees, "LONGEST_WAIT", 0.01)
    register(pair)
    assert leaves(pair) == [3, 5]


def test_nothing_is_told_to_jax_while_it_is_imported(pair, monkeypatch):
    import jax

    monkeypatch.setattr(jax.__spec__, "_initializing", True, raising=False)
    register(pair)
    monkeypatch.setattr(jax.__spec__, "_initializing", False, raising=False)
    assert len(leaves(pair)) == 1  # the object as a whole
    register(type("Other", (Pair,), {}))
    assert leaves(pair) == [3, 5]
