"""What was found, as it is shown: on the console, as pages, pictures and Markdown."""
