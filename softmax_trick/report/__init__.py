"""What was found, as it is shown: on the console, as pages, pictures and Markdown.

Of the ledger: `console`, `ledger_page` (HTML; `claim_card`, `worked_example`, `graph`, `mathml`), `errata` (Markdown),
`picture` (SVG), `rungs`, `mutants`, `notebook`; of a certificate: `certificate`; of the experiments:
`experiments_tables`, `charts`, `experiments_page`. All pages have the frame of `page`, all drawings the colours of
`palette`; `figures` are those of the notebooks.
"""
