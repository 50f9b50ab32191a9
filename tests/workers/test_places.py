"""Where workers run, as it is typed."""

import pytest

from dcm_helpers.errors import InputError
from dcm_helpers.workers import Place, places_of


def test_places_are_host_device_and_weight():
    assert places_of("localhost:0:100, gpu-7:sharded:70,10.0.0.3:1") == [
        Place("localhost", "0", 100),
        Place("gpu-7", "sharded", 70),
        Place("10.0.0.3", "1", 100),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "localhost",
        "localhost:",
        ":0:1",
        "a:b:1",
        "a:-1",
        "a:0:0",
        "a:0:x",
        "a:0:1:2",
        "a:0:" + "9" * 5000,
        "a:" + "9" * 5000,
    ],
)
def test_what_is_no_place_is_told(text):
    with pytest.raises(InputError, match=r"expected host:device:weight, for instance localhost:0:100"):
        places_of(text)


def test_a_device_holds_one_worker():
    with pytest.raises(InputError, match="names a:0 twice"):
        places_of("a:0:1,a:1:1,a:0:2")

    with pytest.raises(InputError, match="names localhost:0 twice"):
        places_of("localhost:0:1,localhost:00:2")
    with pytest.raises(InputError, match="names localhost:0 twice"):
        places_of("localhost:0,127.0.0.1:0")
    with pytest.raises(InputError, match="names a:1 beside all GPUs of that host"):
        places_of("a:sharded,b:1,a:1")
