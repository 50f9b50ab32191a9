"""Strategies for what is wrong: bytes and trees of JSON with something changed, and words that a command gets."""

import json

from hypothesis import strategies as st

ODD_TEXTS = [
    *("", " ", "\0", "\n", "\r\n", "\ufeff", "\u202e", "\u2028", "\u200b", "é", "\U0001f600", "\ud800", "a" * 3000),
    *("../../elsewhere", "/dev/null", "/dev/null/x", "CON", "-", "--", "--help", "$(touch owned)", "`id`", "; id", "|"),
    *("<script>alert(1)</script>", "<|im_end|>", "{{7*7}}", "%s%n", "1e999", "NaN", "null", "0x10", "1_000", "१"),
]
ODD_NUMBERS = [0, -1, 1, 2**31, 2**63, 10**400, -(10**18), 0.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), 0.5]
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=20)
plain = st.none() | st.booleans() | st.sampled_from(ODD_NUMBERS) | st.integers(-3, 300) | st.floats() | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
"""Whatever JSON can hold, and some that it cannot."""


def bytes_of(value):
    """A tree as JSON, NaN and half characters included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


@st.composite
def changed_bytes(draw, data):
    """Bytes with one to four changes: something cut, doubled, or put in the place of something else."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 1, 4, 30])))
        put = draw(
            st.just(b"")
            | st.just(data[start:end] * 2)
            | st.binary(max_size=8)
            | plain.map(bytes_of)
            | st.sampled_from([b"[" * 5000, b"9" * 5000, b"\xef\xbb\xbf", b"\xff\xfe", b'"', b",", b"}", b"\n"])
        )
        data = data[:start] + put + data[end:]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


def places_in(tree, here=()):
    """The places of all that a tree holds, itself included."""
    yield here
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inside:
        yield from places_in(value, (*here, key))


@st.composite
def changed_tree(draw, tree):
    """A tree of JSON with one to three changes: something left out, added, or of another kind."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places_in(tree))))
        if not place:
            tree = draw(values) if draw(st.integers(0, 9)) == 0 else tree
            continue
        holder = tree
        for key in place[:-1]:
            holder = holder[key]
        kind = draw(st.sampled_from(["put", "put", "drop", "add"]))
        if kind == "put":
            holder[place[-1]] = draw(values)
        elif kind == "drop":
            del holder[place[-1]]
        elif isinstance(holder, dict):
            holder[draw(texts)] = draw(values)
        else:
            holder.append(draw(values | st.just(holder[place[-1]])))
    return tree


@st.composite
def words(draw, flags):
    """One to four words of a command line, of which most are flags with values that make no sense."""
    typed = []
    for _ in range(draw(st.integers(1, 3))):
        flag = draw(st.sampled_from(flags))
        value = draw(texts | st.sampled_from(ODD_NUMBERS).map(str) | st.integers(-2, 9).map(str))
        typed += draw(st.sampled_from([[flag, value], [f"{flag}={value}"], [flag], [value]]))
    return typed
