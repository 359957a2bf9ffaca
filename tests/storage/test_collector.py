"""The garbage collector rests while runs are read, by several threads of a server too, and is then as it was."""

import gc

import pytest

from inferometer.storage.collector import no_collection


@pytest.fixture(autouse=True)
def _collecting():
    gc.enable()
    yield
    gc.enable()


def test_it_is_as_before_after_an_error_too():
    for before in (gc.enable, gc.disable):
        before()
        was = gc.isenabled()
        with pytest.raises(ValueError, match="damaged"), no_collection():
            assert not gc.isenabled()
            raise ValueError("damaged")
        assert gc.isenabled() == was


def test_it_rests_until_the_last_of_several_readers_is_done():
    first, second = no_collection(), no_collection()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()
