"""How Sphinx builds the documentation: `make docs`. Nothing is fetched, neither then nor by who reads it."""

project = "Chorus"
author = "The Chorus authors"
copyright = author
extensions = ["myst_parser"]
exclude_patterns = ["_build", "generate"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Chorus"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
