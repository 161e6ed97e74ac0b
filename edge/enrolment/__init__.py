"""Pictures -> templates: which faces may stand for a person, and how to get better ones."""
