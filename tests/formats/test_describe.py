from formats.describe import PAGE, page


def test_the_page_has_the_tables_of_the_formats():
    text = PAGE.read_text()
    assert page(text) == text, "python -m formats.describe writes them"
