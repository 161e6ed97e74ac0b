"""What each correction would cost, before it is made."""

from edge.config.loading import LoadedConfig
from edge.feedback.naming import price_of_naming
from edge.feedback.newcomers import price_of_enrolling
from edge.feedback.rejecting import price_of_rejecting
from edge.feedback.remembered import embedder_facts
from edge.feedback.said import FeedbackPrice, price_of_ignoring


def price_of(loaded: LoadedConfig, action: str, visit: str, person: str) -> FeedbackPrice:
    """What `name`, `enroll`, `reject` or `ignore` would cost; nothing is written. Raises WhosthereError."""
    match action:
        case "name":
            return price_of_naming(loaded, visit, person)
        case "enroll":
            return price_of_enrolling(loaded, visit)
        case "reject":
            return price_of_rejecting(loaded, visit, person)
    return price_of_ignoring(loaded, embedder_facts(loaded).card)
