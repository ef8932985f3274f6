"""Stories told with the library, one a file; each has a `main()`."""
