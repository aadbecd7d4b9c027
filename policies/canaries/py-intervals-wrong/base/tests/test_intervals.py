from intervals import gaps, merge


def test_merge_sorts():
    assert merge([(5, 6), (1, 2)]) == [(1, 2), (5, 6)]


def test_gaps_between():
    assert gaps([(1, 2), (5, 6)]) == [(2, 5)]
