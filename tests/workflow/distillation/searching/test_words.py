import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tutelage.workflow.distillation.searching.words import WordCounts

RNG = np.random.default_rng(0)
WORDS = [f"w{number}" for number in range(60)]
TEXTS = [" ".join(RNG.choice(WORDS, size=RNG.integers(1, 12))) for _ in range(200)]
TRAIN, OTHERS = np.arange(0, 200, 2), np.arange(1, 200, 2)


@pytest.mark.parametrize("most", [None, 7, 40, 100_000])
@pytest.mark.parametrize("rarest", [1, 2])
def test_a_vectorizer_is_that_which_scikit_learn_fits(most, rarest):
    unfitted = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=rarest, max_features=most, dtype=np.float32)
    counts = WordCounts(TEXTS)
    words = counts.fitted(unfitted, TRAIN)
    theirs = TfidfVectorizer(**unfitted.get_params())
    encoded = theirs.fit_transform([TEXTS[place] for place in TRAIN])
    others = [TEXTS[place] for place in OTHERS]
    assert words[0].vocabulary_ == theirs.vocabulary_
    assert np.array_equal(words[0].idf_, theirs.idf_)
    assert np.array_equal(counts.encoded(words, TRAIN).toarray(), encoded.toarray())
    for found in (counts.encoded(words, OTHERS), words[0].transform(others)):
        assert found.dtype == np.float32
        assert np.array_equal(found.toarray(), theirs.transform(others).toarray())


def test_texts_that_share_no_word_are_left_to_scikit_learn_to_refuse():
    assert WordCounts(["some", "other", "words"]).fitted(TfidfVectorizer(min_df=2), [0, 1, 2]) is None
