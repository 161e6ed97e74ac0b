"""The record of visits on this box: who came when, and how the box came to say so."""
