"""What ties runs to other systems, each in a module of its own that is imported when it is used.

`telemetry`: OpenTelemetry, with the extra `[otel]`.
"""
