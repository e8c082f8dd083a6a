"""The sections of params.yaml as typed options, one file a section or task."""
