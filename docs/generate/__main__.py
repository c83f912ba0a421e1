"""Write every generated page."""

from docs.generate.pages import PAGES, ROOT

for path, page in PAGES.items():
    (ROOT / path).write_text(page(), encoding="utf-8")
