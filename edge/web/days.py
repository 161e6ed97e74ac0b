"""Days as people say them."""

from datetime import date, timedelta


def day_heading(day: date, today: date) -> str:
    """`Today`, `Yesterday`, `Sunday, 15 June`, and the year if it is another one."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A}, {day.day} {day:%B}" + (f" {day.year}" if day.year != today.year else "")


def day_in_words(day: date, today: date) -> str:
    """`today`, `yesterday`, `on Tuesday`, `on 15 June`: within a sentence."""
    if day in {today, today - timedelta(days=1)}:
        return day_heading(day, today).lower()
    if timedelta(0) < today - day < timedelta(days=7):
        return f"on {day:%A}"
    return f"on {day.day} {day:%B}" + (f" {day.year}" if day.year != today.year else "")
