import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate
from reid_tf.retrieval.intervals import paired_test, rank_intervals


def sides(seed=0, people=40, spread=1.0, camera_1=3, camera_2=4):
    generator = np.random.default_rng(seed)
    identities = np.repeat(np.arange(people), camera_1 + camera_2)
    cameras = np.tile(np.repeat([1, 2], [camera_1, camera_2]), people)
    centres = np.random.default_rng(99).normal(size=(people, 8))
    vectors = centres[identities] + spread * generator.normal(size=(len(identities), 8))
    everyone = Embeddings(vectors, identities, cameras)
    return everyone.select(cameras == 1), everyone.select(cameras == 2)


def naive_bootstrap(values, identities, resamples, seed):
    generator = np.random.default_rng(seed)
    people = np.unique(identities)
    means = []
    for _ in range(resamples):
        drawn = generator.choice(people, len(people))
        means.append(np.mean(np.concatenate([values[identities == person] for person in drawn])))
    return np.percentile(means, [2.5, 97.5])


def test_equals_a_loop_over_drawn_people():
    query, gallery = sides()
    metrics = evaluate(query, gallery)
    intervals = rank_intervals(metrics, query.identities)
    for name, values in (("rank1", metrics.first_match_ranks == 1), ("mAP", metrics.average_precisions)):
        low, high = naive_bootstrap(values.astype(float), query.identities, 2000, 1)
        assert intervals[name] == pytest.approx((low, high), abs=0.01)
        assert intervals[name].low <= metrics.to_dict()[name] <= intervals[name].high


def test_95_of_100_intervals_hold_the_figure_of_everyone():
    """Samples of 40 people from a crowd of 2,000, whose gallery is the crowd's."""
    query, gallery = sides(people=2000, camera_1=2, camera_2=2, spread=0.6)
    metrics = evaluate(query, gallery)
    held = 0
    for draw in range(200):
        chosen = np.random.default_rng(draw).choice(2000, 40, replace=False)
        sample = np.isin(query.identities, chosen)
        of_sample = evaluate(query.select(sample), gallery)
        interval = rank_intervals(of_sample, query.identities[sample], resamples=500)["mAP"]
        held += interval.low <= metrics.mean_average_precision <= interval.high
    assert 0.88 <= held / 200 <= 0.99


def test_more_people_give_a_narrower_interval():
    widths = []
    for people in (20, 320):
        query, gallery = sides(people=people)
        interval = rank_intervals(evaluate(query, gallery), query.identities)["mAP"]
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 2


def test_drawn_galleries_count_with_all_their_draws():
    query, gallery = sides()
    metrics = evaluate(query, gallery, protocol="cuhk03_single_shot")
    interval = rank_intervals(metrics, query.identities)["rank1"]
    assert interval.low < metrics.rank(1) < interval.high


def test_skipped_queries_do_not_count():
    query, gallery = sides()
    with_stranger = Embeddings.concatenate([query, Embeddings(np.ones((1, 8)), [777], [1])])
    intervals = [rank_intervals(evaluate(queries, gallery), queries.identities) for queries in (query, with_stranger)]
    assert intervals[0] == intervals[1]


def test_a_better_encoder_is_told_from_a_worse_one():
    worse, better = (evaluate(*sides(spread=spread)) for spread in (1.5, 1.0))
    query, _ = sides()
    result = paired_test(worse, better, query.identities)
    assert result.difference > 0.1
    assert result.interval.low > 0
    assert result.better > 0.8
    assert result.p_value < 0.001
    back = paired_test(better, worse, query.identities)
    assert (back.better, back.worse, back.difference) == (result.worse, result.better, -result.difference)


def test_of_equal_encoders_few_pairs_differ_at_five_percent():
    query, _ = sides()
    values = [
        paired_test(evaluate(*sides(2 * draw)), evaluate(*sides(2 * draw + 1)), query.identities, resamples=199).p_value
        for draw in range(1, 101)
    ]
    assert np.mean(np.array(values) <= 0.05) <= 0.12  # 0.05 but for chance


def test_an_encoder_equals_itself():
    query, gallery = sides()
    metrics = evaluate(query, gallery)
    result = paired_test(metrics, metrics, query.identities)
    assert (result.difference, result.better, result.worse, result.p_value) == (0, 0, 0, 1)


def test_too_few_people_are_refused():
    query, gallery = sides(people=9)
    with pytest.raises(InputError, match="needs at least 10 with a match. Received: 9"):
        rank_intervals(evaluate(query, gallery), query.identities)


def test_other_queries_are_refused():
    query, gallery = sides()
    metrics, fewer = evaluate(query, gallery), evaluate(query.select(np.arange(100)), gallery)
    with pytest.raises(InputError, match="Received: 120 and 100 valid queries of 120 and 100"):
        paired_test(metrics, fewer, query.identities)
    with pytest.raises(InputError, match="Received: 100 for 120 queries"):
        rank_intervals(metrics, query.identities[:100])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, float("nan")])
def test_a_confidence_is_a_share(confidence):
    query, gallery = sides()
    with pytest.raises(InputError, match=f"Received: {confidence}"):
        rank_intervals(evaluate(query, gallery), query.identities, confidence)
