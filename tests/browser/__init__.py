"""The dashboard in a real browser, and its pictures."""
