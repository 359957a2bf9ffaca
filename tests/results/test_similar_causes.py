"""Notes that differ in their numbers only."""

from inferometer.results.similar_causes import group_similar, spanned


def test_notes_of_the_same_words_are_told_once_with_the_range_of_each_number():
    notes = [
        ("warm-up cut at 40 of 50 batches by the budget of 40 s", "keras"),
        ("loops of 1,201 ms keep step with its updates (98.5 ms)", "tf"),
        ("warm-up cut at 8 of 50 batches by the budget of 40 s", "torch"),
        ("loops of 55 ms keep step with its updates (114.3 ms)", "tf"),
        ("warm-up cut at 9 of 50 batches by the budget of 40 s", "torch"),
    ]
    assert group_similar(notes) == [
        ("warm-up cut at 8 to 40 of 50 batches by the budget of 40 s", ["keras", "torch"]),
        ("loops of 55 to 1,201 ms keep step with its updates (98.5 to 114.3 ms)", ["tf"]),
    ]


def test_digits_of_names_are_not_numbers():
    notes = [
        "shared with cuda:1",
        "shared with cuda:2",
        "sent as uint8",
        "GPU-21a is 3.5.1",
        "GPU-22a is 3.5.2",
    ]
    assert [text for text, _ in group_similar((note, 0) for note in notes)] == notes


def test_a_list_of_numbers_is_no_number():
    assert (
        spanned(["f32[16,1,1000] of 1,200", "f32[64,1,1000] of 1,300"])
        == "f32[16 to 64,1,1000] of 1,200 to 1,300"
    )
