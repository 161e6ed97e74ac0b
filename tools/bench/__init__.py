"""The benchmark behind `make bench`: parts that measure, JSON in bench/, a page made of it, and the guard of CI."""
