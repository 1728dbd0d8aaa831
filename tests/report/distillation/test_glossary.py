from tutelage.report.distillation.glossary import GLOSSARY


def test_ten_words_have_a_sentence_each():
    assert len(GLOSSARY) == 10
    assert all(text.endswith(".") for text in GLOSSARY.values())
