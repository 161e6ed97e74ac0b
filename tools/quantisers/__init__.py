"""The table of quantisers of docs/51-converter.md: other people's int8 beside whosthere's, on the same networks."""
