"""What the results look like: on the console, and as JSON (ledger.schema.json)."""
